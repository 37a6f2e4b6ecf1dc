// One large query, in steps that the threads share and in parts that do not depend on their number.
#pragma once

#include <array>
#include <memory>
#include <numeric>

#include "../core/rank_noise.h"
#include "by_rank.h"
#include "call.h"
#include "one_sided.h"
#include "pool.h"
#include "ranking.h"
#include "spread.h"
#include "threads.h"

namespace pairloss {

// A query of more rows than this is shared by the threads.
constexpr int kLarge = 65536;

template <class Real>
class LargeQuery {
 public:
  LargeQuery(const Call<Real>& call, std::int64_t query, Team& team, LargeMemory& memory)
      : call_(call), query_(query), rows_(call.plan.rows(query)), team_(team), memory_(memory), x_(memory.x) {}

  // Sum the query and write its results. Returns whether they are finite.
  bool sum() {
    if (!read()) return true;
    if (call_.delta != nullptr) rank();  // before the division by the temperature, which could make ties
    divide_by_temperature();
    panel_set_.find(x_.get(), rows_.n, limits_.low, limits_.high);
    const std::size_t n = static_cast<std::size_t>(rows_.n);
    first_ = reinterpret_cast<Real*>(memory_.first.reserve(n * sizeof(Real)));
    second_ = reinterpret_cast<Real*>(memory_.second.reserve(n * sizeof(Real)));
    return call_.delta == nullptr ? sum_separable() : sum_exchanges();
  }

 private:
  static constexpr int kTerms = kTermsOf<Real>;
  // Rows that one task reads, writes or sorts.
  static constexpr int kChunk = 16384;
  // Parts of a node's ranking that are swept at a time.
  static constexpr int kSweeps = 32;
  // Subtrees have at least this share of the rows, unless they are leaves.
  static constexpr int kSubtrees = 32;

  // The nodes [begin, end) of a subtree.
  struct Subtree {
    int begin, end;
  };

  // The memory of a task.
  struct Workspace {
    Columns<Real> columns;
    Coefficients sums;
    Buffer<double> translated;
    explicit Workspace(int longest) : columns(longest) {}
  };

  // Call function(begin, end) for chunks of n rows.
  template <class Function>
  void for_chunks(int n, const Function& function) {
    const std::int64_t n_chunks = (static_cast<std::int64_t>(n) + kChunk - 1) / kChunk;
    team_.run(n_chunks, [&](std::int64_t chunk) {
      const int begin = static_cast<int>(chunk) * kChunk;
      function(begin, std::min(n - begin, kChunk) + begin);
    });
  }

  Limits limits() {
    std::vector<Limits> found(static_cast<std::size_t>(rows_.n / kChunk) + 1);
    for_chunks(rows_.n, [&](int begin, int end) {
      found[static_cast<std::size_t>(begin / kChunk)] = limits_of(x_.get() + begin, end - begin);
    });
    Limits all = found[0];
    for (int begin = kChunk; begin < rows_.n; begin += kChunk) {
      const Limits& some = found[static_cast<std::size_t>(begin / kChunk)];
      all = {std::min(all.low, some.low), std::max(all.high, some.high), all.finite && some.finite};
    }
    return all;
  }

  bool read() {
    double* x = x_.reserve(static_cast<std::size_t>(rows_.n));
    for_chunks(rows_.n, [&](int begin, int end) {
      gather(call_.scores, call_.plan.row, call_.plan.ptr[query_] + begin, end - begin, false, x + begin);
    });
    limits_ = limits();
    const bool summed = takes(limits_, call_.request.temperature);
    if (!summed) call_.status[query_] = kOutOfRange;
    return summed;
  }

  void divide_by_temperature() {
    const double temperature = call_.request.temperature;
    if (temperature == 1) return;
    double* x = x_.get();
    const double centre = centre_matters(limits_, temperature) ? nearest_zero(x, rows_.n) : 0.0;
    for_chunks(rows_.n, [&](int begin, int end) {
      for (int p = begin; p < end; ++p) x[p] = (x[p] - centre) / temperature;
    });
    limits_ = limits();
  }

  bool write(const Factors& factors) {
    std::atomic<bool> finite{true};
    for_chunks(rows_.n, [&](int begin, int end) {
      Real *first = first_ + begin, *second = second_ + begin;
      if (!scatter(first, second, factors, call_.plan.row, call_.plan.ptr[query_] + begin, end - begin, false, first,
                   second, call_.first, call_.second)) {
        finite = false;
      }
    });
    return finite;
  }

  void clear() {
    for_chunks(rows_.n, [&](int begin, int end) {
      std::fill(first_ + begin, first_ + end, Real(0));
      std::fill(second_ + begin, second_ + end, Real(0));
    });
  }

  bool sum_separable() {
    const Request& request = call_.request;
    clear();
    double lambda_sum;
    if (panel_set_.panels().n == 0) {
      Columns<Real> columns(rows_.n);
      const DirectSum<Real> direct{rows_, x_.get(), request.is_loss, columns};
      lambda_sum = sum_spread<kTerms>(rows_, x_.get(), nullptr, *request.sum, direct, nullptr, first_, second_);
    } else {
      lambda_sum = sum_tree(rows_, nullptr, *request.sum, costs_of_direct_sum(rows_), nullptr, [&](Workspace& work) {
        return DirectSum<Real>{rows_, x_.get(), request.is_loss, work.columns};
      });
    }
    call_.keep_lambda_sum(query_, lambda_sum);
    return write(call_.factors(query_, 1));
  }

  bool sum_exchanges() {
    const Request& request = call_.request;
    const DeltaNDCG& delta = *call_.delta;
    const double per_ideal = delta.per_ideal[query_];
    const std::size_t n = static_cast<std::size_t>(rows_.n);
    const Ranking ranking = ranking_;
    Buffer<double> discount(n);
    for_chunks(rows_.n, [&](int begin, int end) {
      for (int rank = begin; rank < end; ++rank) {
        discount[static_cast<std::size_t>(ranking.order[rank])] = discount_of(rank, delta.few, delta.n_few);
      }
    });
    if (request.counts_phi) {
      Buffer<std::int32_t> kept(n);
      std::copy_n(ranking.order, n, kept.get());
      sum_all_ranks(rows_.unweighted(), discount.get(), *delta.unit, true, ranking);
      call_.phi_sums[query_] = per_ideal * std::accumulate(second_, second_ + n, 0.0);
      std::copy_n(kept.get(), n, ranking.order);
    }
    const double lambda_sum = sum_all_ranks(rows_, discount.get(), *request.sum, request.is_loss, ranking);
    call_.keep_lambda_sum(query_, per_ideal * lambda_sum);
    return write(call_.factors(query_, per_ideal));
  }

  // The noised scores of all rows.
  void add_noise(double* noised) {
    const RankNoise& noise = call_.delta->noise;
    const double* x = x_.get();
    with_row_numbers(call_.plan.row, call_.plan.ptr[query_], [&](const auto* row) {
      std::vector<std::uint64_t> terms(static_cast<std::size_t>(rows_.n / kChunk) + 1);
      for_chunks(rows_.n, [&](int begin, int end) {
        terms[static_cast<std::size_t>(begin / kChunk)] = hash_terms(end - begin, x + begin, row + begin);
      });
      const std::uint64_t hash = hash_of_sum(std::accumulate(terms.begin(), terms.end(), std::uint64_t{0}), noise.seed);
      for_chunks(rows_.n, [&](int begin, int end) {
        add_rank_noise(end - begin, x + begin, row + begin, noise.scale, hash, noised + begin);
      });
    });
  }

  // Rank the rows by their scores, or noised scores, equal ones by the caller's rows.
  void rank() {
    const std::size_t n = static_cast<std::size_t>(rows_.n);
    std::int32_t *order = memory_.order.reserve(n), *spare = memory_.spare_order.reserve(n);
    Buffer<double> keys[2]{Buffer<double>(n), Buffer<double>(n)};
    double *key = keys[0].get(), *spare_key = keys[1].get();
    if (call_.delta->has_noise()) {
      add_noise(key);
    } else {
      for_chunks(rows_.n, [&](int begin, int end) { std::copy(x_.get() + begin, x_.get() + end, key + begin); });
    }
    for_chunks(rows_.n, [&](int begin, int end) {
      std::iota(order + begin, order + end, begin);
      sort(end - begin, key + begin, order + begin, spare_key + begin, spare + begin);
    });
    for (std::int64_t width = kChunk; width < rows_.n; width *= 2) {
      team_.run((rows_.n + 2 * width - 1) / (2 * width), [&](std::int64_t pair) {
        const std::int64_t begin = pair * 2 * width, left = rows_.n - begin;
        merge(key + begin, order + begin, std::min(width, left), std::min(2 * width, left), spare_key + begin,
              spare + begin);
      });
      std::swap(key, spare_key);
      std::swap(order, spare);
    }
    with_row_numbers(call_.plan.row, call_.plan.ptr[query_],
                     [&](const auto* row) { order_ties(rows_.n, row, order, spare, key, spare_key); });
    ranking_ = {order, spare};
  }

  // All pairs with |delta NDCG|; returns the sum of phi r. The ranking is used up.
  double sum_all_ranks(const Rows& rows, const double* discount, const FastSum& sum, bool is_loss,
                       const Ranking& ranking) {
    clear();
    const Exchange exchange_of{rows.n, 1, 0, discount, nullptr, nullptr};
    if (call_.delta->has_noise()) {
      const auto shared = [&](std::int64_t n_tasks, const auto& task) { team_.run(n_tasks, task); };
      return RankedSum<Real>(rows, x_.get(), exchange_of, sum, is_loss, panel_set_)
          .add(ranking, shared, first_, second_);
    }
    if (panel_set_.panels().n == 0) {
      Columns<Real> columns(rows.n);
      const ExchangeSum<Real> direct{rows, x_.get(), is_loss, exchange_of, columns};
      return sum_spread<kTerms>(rows, x_.get(), discount, sum, direct, &ranking, first_, second_);
    }
    return sum_tree(rows, discount, sum, kOneSidedCosts, &ranking, [&](Workspace& work) {
      return ExchangeSum<Real>{rows, x_.get(), is_loss, exchange_of, work.columns};
    });
  }

  // The sums of all rows, without the factors of the query; direct_of(workspace) is the direct sum of a task.
  template <class DirectOf>
  double sum_tree(const Rows& rows, const double* discount, const FastSum& sum, const Costs& costs,
                  const Ranking* ranking, const DirectOf& direct_of) {
    const Panels panels = panel_set_.panels();
    std::vector<Node> tree;
    split(rows, panels.n, sum, costs, tree);
    const std::vector<Subtree> subtrees = find_subtrees(tree);
    const std::int64_t n_subtrees = static_cast<std::int64_t>(subtrees.size());
    const ExpandedQuery query{rows, x_.get(), discount, rows.value_centre(), panels};
    const Expander<kTerms> expander(query, sum, tree);
    Coefficients moments;
    moments.reserve(tree.size(), sum.n_channels, expander.size_of_moments(panels));
    team_.run(n_subtrees, [&](std::int64_t k) {
      const auto [begin, end] = subtrees[static_cast<std::size_t>(k)];
      expander.gather_up(begin, end, moments);
    });
    Coefficients starts;  // the coefficients that each subtree starts with
    double lambda_sum = pass_down_to_subtrees(expander, tree, subtrees, moments, starts);
    if (ranking != nullptr) lambda_sum += sweep_above(expander, nodes_above(subtrees), moments, *ranking);

    int longest = 0;
    for (const auto [begin, end] : subtrees) longest = std::max(longest, longest_leaf(tree, begin, end, rows));
    Pool<Workspace> pool;
    std::vector<double> lambda_sums(subtrees.size());
    team_.run(n_subtrees, [&](std::int64_t k) {
      pool.with([&] { return std::make_unique<Workspace>(longest); },
                [&](Workspace& work) {
                  const auto [begin, end] = subtrees[static_cast<std::size_t>(k)];
                  const std::size_t depth = static_cast<std::size_t>(depth_below(tree, begin, end));
                  work.sums.reserve(depth + 1, sum.n_targets, expander.size_of_sums(panels));
                  std::copy_n(starts.at(static_cast<int>(k), 0), starts.size_of_node(), work.sums.at(0, 0));
                  double* translated = work.translated.reserve(expander.size_of_sums(panels));
                  const auto direct = direct_of(work);
                  const auto nothing = [](int) { return 0.0; };
                  lambda_sums[static_cast<std::size_t>(k)] =
                      ranking == nullptr ? expander.pass_down(begin, end, moments, work.sums, translated, direct,
                                                              nothing, first_, second_)
                                         : pass_down_one_sided(expander, begin, end, moments, work.sums, translated,
                                                               *ranking, direct, first_, second_);
                });
    });
    return std::accumulate(lambda_sums.begin(), lambda_sums.end(), lambda_sum);
  }

  std::vector<Subtree> find_subtrees(const std::vector<Node>& tree) const {
    std::vector<Subtree> subtrees;
    const int n_nodes = static_cast<int>(tree.size());
    const auto node = [&](int k) -> const Node& { return tree[static_cast<std::size_t>(k)]; };
    for (int k = 0; k < n_nodes;) {
      if (node(k).left < 0 || (node(k).last - node(k).first) <= rows_.n / kSubtrees) {
        int end = k + 1;
        while (end < n_nodes && node(end).depth > node(k).depth) ++end;
        subtrees.push_back({k, end});
        k = end;
      } else {
        ++k;
      }
    }
    return subtrees;
  }

  // The nodes above the subtrees, in preorder.
  static std::vector<int> nodes_above(const std::vector<Subtree>& subtrees) {
    std::vector<int> nodes;
    int k = 0;
    for (const auto [begin, end] : subtrees) {
      for (; k < begin; ++k) nodes.push_back(k);
      k = end;
    }
    return nodes;
  }

  // Above the subtrees: the moments, the coefficients that each subtree starts with, and the sum of phi r.
  double pass_down_to_subtrees(const Expander<kTerms>& expander, const std::vector<Node>& tree,
                               const std::vector<Subtree>& subtrees, Coefficients& moments,
                               Coefficients& starts) const {
    const Panels& panels = expander.query().panels;
    const std::vector<int> above = nodes_above(subtrees);
    for (auto k = above.rbegin(); k != above.rend() && *k > 0; ++k) expander.add_children(*k, moments);
    const std::size_t size = expander.size_of_sums(panels);
    const int n_targets = expander.sum().n_targets;
    starts.reserve(subtrees.size(), n_targets, size);
    Coefficients sums;  // at each depth
    const int last = subtrees.back().begin + 1;
    sums.reserve(static_cast<std::size_t>(depth_below(tree, 0, last)) + 1, n_targets, size);
    sums.clear(0);
    std::vector<double> translated(size);
    double lambda_sum = 0;
    std::size_t inner = 0;
    for (std::size_t k = 0; k < subtrees.size(); ++k) {
      const auto visit = [&](int node) {
        const int depth = expander.node(node).depth;
        if (depth > 0) {
          sums.copy(depth - 1, depth);
          lambda_sum += expander.add_sibling(node, moments, sums, depth, translated.data());
        }
        return depth;
      };
      for (; inner < above.size() && above[inner] < subtrees[k].begin; ++inner) visit(above[inner]);
      const int depth = visit(subtrees[k].begin);
      std::copy_n(sums.at(depth, 0), sums.size_of_node(), starts.at(static_cast<int>(k), 0));
    }
    return lambda_sum;
  }

  // Sweep the nodes above the subtrees that separate labels, level by level, and divide their rankings.
  double sweep_above(const Expander<kTerms>& expander, const std::vector<int>& nodes, const Coefficients& moments,
                     const Ranking& ranking) {
    struct Part {
      int begin, end, node, n_left;
      double lambda_sum;
    };
    std::vector<std::vector<int>> levels;
    for (const int k : nodes) {
      if (expander.node(expander.node(k).left).side < 0) continue;
      const std::size_t depth = static_cast<std::size_t>(expander.node(k).depth);
      if (levels.size() <= depth) levels.resize(depth + 1);
      levels[depth].push_back(k);
    }
    const Sweep<kTerms> sweep(expander);
    double lambda_sum = 0;
    for (const std::vector<int>& level : levels) {
      std::vector<Part> parts;
      for (const int k : level) {
        const std::vector<int> bounds = panel_bounds(expander.node(k), ranking);
        for (std::size_t i = 0; i + 1 < bounds.size(); ++i) parts.push_back({bounds[i], bounds[i + 1], k, 0, 0});
      }
      const auto middle_of = [&](const Part& part) { return expander.node(expander.node(part.node).left).last; };
      const std::int64_t n_parts = static_cast<std::int64_t>(parts.size());
      team_.run(n_parts, [&](std::int64_t i) {
        Part& part = parts[static_cast<std::size_t>(i)];
        part.lambda_sum = sweep(part.begin, part.end, part.node, moments, ranking, first_, second_);
        for (int at = part.begin; at < part.end; ++at) part.n_left += ranking.order[at] < middle_of(part);
      });
      std::vector<std::array<int, 2>> to(parts.size());  // where the rows of each part go, left and right
      for (std::size_t i = 0; i < parts.size(); ++i) {
        lambda_sum += parts[i].lambda_sum;
        if (i == 0 || parts[i].node != parts[i - 1].node) {
          to[i] = {parts[i].begin, middle_of(parts[i])};
        } else {
          const Part& before = parts[i - 1];
          to[i] = {to[i - 1][0] + before.n_left, to[i - 1][1] + before.end - before.begin - before.n_left};
        }
      }
      team_.run(n_parts, [&](std::int64_t i) {
        const Part& part = parts[static_cast<std::size_t>(i)];
        const auto [left, right] = to[static_cast<std::size_t>(i)];
        partition(ranking, part.begin, part.end, middle_of(part), left, right);
      });
      team_.run(n_parts, [&](std::int64_t i) {
        const Part& part = parts[static_cast<std::size_t>(i)];
        copy_back(ranking, part.begin, part.end);
      });
    }
    return lambda_sum;
  }

  // Where to part the ranking of a node so that each part has whole panels and no fewer rows than a share of all.
  std::vector<int> panel_bounds(const Node& node, const Ranking& ranking) const {
    const auto panel = [&](int at) { return panel_of(x_.get()[ranking.order[at]]); };
    const int least = (node.last - node.first) / kSweeps;
    std::vector<int> bounds{node.first};
    // A part ends at the first change of panel that leaves it enough rows: panels descend, so that it is bisected for.
    while (node.last - bounds.back() > least && static_cast<int>(bounds.size()) < kSweeps) {
      int low = std::max(bounds.back() + least, bounds.back() + 1), high = node.last;
      const double before = panel(low - 1);
      while (low < high) {
        const int middle = low + (high - low) / 2;
        if (panel(middle) == before) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      if (low >= node.last) break;
      bounds.push_back(low);
    }
    bounds.push_back(node.last);
    return bounds;
  }

  const Call<Real>& call_;
  const std::int64_t query_;
  const Rows rows_;
  Team& team_;
  Limits limits_{};
  LargeMemory& memory_;
  Buffer<double>& x_;  // the scores, and then the scores over the temperature
  Real *first_ = nullptr, *second_ = nullptr;
  Ranking ranking_{};
  PanelSet panel_set_;
};

}  // namespace pairloss
