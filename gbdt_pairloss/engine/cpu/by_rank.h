// |delta NDCG| for large queries whose rows are ranked by other scores than those of the loss: by noised ones.
//
// The order of the ranks is not that of the scores, so that a sweep of the panels, as in one_sided.h, does not separate
// the rows above a row from those below. Here the rows of a node of the tree of labels are read in the order of their
// ranks, in blocks. Rows of earlier blocks are above a row, those of later ones below, wherever their scores lie, so
//
//     S_c(i) = sum_{j in earlier blocks} K_ij c_j - sum_{j in later blocks} K_ij c_j = f_i . (R_c + R'_c - M_c)
//
// with R and R' the moments of what is before the block and before its end, M those of the node, of the charges c = 1,
// y, D, y D, and f_i the row's expansion of the kernel. The sum over phi K is that of one_sided.h. Pairs within a block
// are summed directly. A block is so long that translations and direct sums take about the same time.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "exchange_sum.h"
#include "one_sided.h"
#include "pool.h"

namespace pairloss {

// ns; see tree.h. Pairs of scores that are spread over more than a few panels take an exponential each.
constexpr Costs kByRankCosts{0.35, 150}, kWideByRankCosts{15, 150};

inline const Costs& by_rank_costs(int n_panels) {
  const bool is_wide = n_panels == 0 || n_panels * kPanelWidth > kWidestWeightedSpread;  // 0: no table of them
  return is_wide ? kWideByRankCosts : kByRankCosts;
}

template <class Real>
class RankedSum {
 public:
  // `exchange_of` has the discounts of all ranks, and no truncation or distance.
  RankedSum(const Rows& rows, const double* x, const Exchange& exchange_of, const FastSum& sum, bool is_loss,
            const PanelSet& panel_set)
      : rows_(rows), x_(x), exchange_of_(exchange_of), sum_(sum), is_loss_(is_loss), all_panels_(panel_set.panels()) {}

  // Add the sums of all rows, without the factors of the query, and return the sum of phi r. run(n, task) calls task(0)
  // to task(n - 1), in any order. The ranking is used up.
  template <class Run, class Sum>
  double add(const Ranking& ranking, const Run& run, Sum* first, Sum* second) {
    split(rows_, all_panels_.n, sum_, by_rank_costs(all_panels_.n), tree_);
    double lambda_sum = 0;
    for (const std::vector<int>& level : nodes_by_level()) {
      for (std::size_t k = 0; k < level.size();) {
        const std::vector<int> nodes = next_nodes(level, k);
        k += nodes.size();
        lambda_sum += add_between_halves(nodes, ranking, run, first, second);
        divide(ranking, run);
      }
    }
    return lambda_sum + add_leaves(run, first, second);
  }

 private:
  static constexpr int kTerms = kTermsOf<Real>;
  // The charges of a role, and both roles: winners and losers.
  static constexpr int kCharges = 4, kChannels = 2 * kCharges;
  // Rows of a task.
  static constexpr int kPart = 16384;
  static constexpr int kShortestBlock = 64;
  // Numbers, beyond those of one node: 32 MB.
  static constexpr double kMostMoments = 1 << 22;

  // Rows of a node that a task sums, in the order of their ranks.
  struct Part {
    int begin, end, level_node, n_left;
    double lambda_sum;
  };

  // A node of a level.
  struct LevelNode {
    int first, last, middle;  // its winners are the rows before `middle`
    int block;                // rows of a block
    PanelSet own_panels;      // where the query has no table of panels
    Panels panels;
    Buffer<double> total;  // moments of all rows

    std::size_t size() const { return static_cast<std::size_t>(panels.n) * kTerms; }
    std::size_t n_moments() const { return kChannels * size(); }
  };

  // The memory of a task.
  struct Workspace {
    Columns<Real> columns;
    Buffer<double> block, combined, fields, place, reals;
    Buffer<std::int32_t> panel, row, runs;
  };

  std::vector<std::vector<int>> nodes_by_level() const {
    std::vector<std::vector<int>> levels;
    for (std::size_t k = 0; k < tree_.size(); ++k) {
      const Node& node = tree_[k];
      if (node.left < 0 || tree_[static_cast<std::size_t>(node.left)].side < 0) continue;
      const std::size_t depth = static_cast<std::size_t>(node.depth);
      if (levels.size() <= depth) levels.resize(depth + 1);
      levels[depth].push_back(static_cast<int>(k));
    }
    return levels;
  }

  // The nodes of a level from number `begin` on, as many as have moments of a bounded size.
  std::vector<int> next_nodes(const std::vector<int>& level, std::size_t begin) const {
    std::vector<int> nodes;
    double size = 0;
    for (std::size_t k = begin; k < level.size() && (nodes.empty() || size < kMostMoments); ++k) {
      const Node& node = tree_[static_cast<std::size_t>(level[k])];
      const int n_panels = all_panels_.n > 0 ? all_panels_.n : node.last - node.first;  // at most
      size += 2.0 * kChannels * kTerms * n_panels;
      nodes.push_back(level[k]);
    }
    return nodes;
  }

  // What the winners and losers of some nodes of a level sum over each other.
  template <class Run, class Sum>
  double add_between_halves(const std::vector<int>& nodes, const Ranking& ranking, const Run& run, Sum* first,
                            Sum* second) {
    find_parts(nodes, run);
    const bool weighted = rows_.is_weighted();
    add_parts<true>(weighted, ranking, run, first, second);
    // Weighted sums are not the sum of phi r. Where that is asked for there are channels of role 2 (expansion.py).
    if (sum_.n_channels == 3 * kCharges) add_parts<false>(false, ranking, run, first, second);
    return std::accumulate(parts_.begin(), parts_.end(), 0.0,
                           [](double total, const Part& part) { return total + part.lambda_sum; });
  }

  template <class Run>
  void find_parts(const std::vector<int>& nodes, const Run& run) {
    nodes_.clear();
    nodes_.resize(nodes.size());
    run(static_cast<std::int64_t>(nodes.size()), [&](std::int64_t k) {
      LevelNode& node = nodes_[static_cast<std::size_t>(k)];
      const Node& of_tree = tree_[static_cast<std::size_t>(nodes[static_cast<std::size_t>(k)])];
      node.first = of_tree.first;
      node.last = of_tree.last;
      node.middle = tree_[static_cast<std::size_t>(of_tree.left)].last;
      if (all_panels_.n == 0) node.own_panels.find_by_bisection(x_ + node.first, node.last - node.first);
      node.panels = all_panels_.n > 0 ? all_panels_ : node.own_panels.panels();
      const double n = node.panels.n, near = std::min<double>(n, 2 * sum_.expansion.near + 1);
      const double per_block = kTranslatePanel * kChannels * n * near;
      // A row meets a quarter of its block: half of it, on the other side, once.
      const double block = std::sqrt(4 * per_block / by_rank_costs(node.panels.n).pair);
      node.block = static_cast<int>(std::min<double>(std::max<double>(block, kShortestBlock), node.last - node.first));
      node.total.reserve(node.n_moments());
    });
    parts_.clear();
    offsets_.assign(1, 0);
    for (std::size_t k = 0; k < nodes_.size(); ++k) {
      const LevelNode& node = nodes_[k];
      const int size = node.last - node.first, n_parts = std::max(1, size / std::max(kPart, 2 * node.block));
      for (int i = 0; i < n_parts; ++i) {
        const auto at = [&](int part) { return node.first + static_cast<int>(std::int64_t{size} * part / n_parts); };
        parts_.push_back({at(i), at(i + 1), static_cast<int>(k), 0, 0});
        offsets_.push_back(offsets_.back() + node.n_moments());
      }
    }
    before_.reserve(offsets_.back());
  }

  const LevelNode& node_of(const Part& part) const { return nodes_[static_cast<std::size_t>(part.level_node)]; }

  // With kAdds the sums are added to those of the rows; without it the winners' sums of phi r are, to the part's.
  template <bool kAdds, class Run, class Sum>
  void add_parts(bool weighted, const Ranking& ranking, const Run& run, Sum* first, Sum* second) {
    const std::int64_t n_parts = static_cast<std::int64_t>(parts_.size());
    run(n_parts, [&](std::int64_t i) {
      Part& part = parts_[static_cast<std::size_t>(i)];
      const LevelNode& node = node_of(part);
      double* own = before_.get() + offsets_[static_cast<std::size_t>(i)];
      std::fill_n(own, node.n_moments(), 0.0);
      part.n_left = 0;
      for (int at = part.begin; at < part.end; ++at) {
        const int p = ranking.order[at];
        const double panel = panel_of(x_[p]);
        add_charges(node, p, weighted, place_in_panel(x_[p], panel), index_of_panel(node.panels, panel), own);
        part.n_left += p < node.middle;
      }
    });
    sum_before_parts();
    run(n_parts, [&](std::int64_t i) {
      pool_.with([] { return std::make_unique<Workspace>(); },
                 [&](Workspace& work) {
                   Part& part = parts_[static_cast<std::size_t>(i)];
                   double* before = before_.get() + offsets_[static_cast<std::size_t>(i)];
                   const double lambda_sum = add_part<kAdds>(part, weighted, ranking, before, work, first, second);
                   // The direct sums count phi r without weights; the expansions do so in the pass without.
                   part.lambda_sum = kAdds ? lambda_sum : part.lambda_sum + lambda_sum;
                 });
    });
  }

  // The moments of the parts become those of what is before them; those of the nodes are the total.
  void sum_before_parts() {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      LevelNode& node = nodes_[static_cast<std::size_t>(parts_[i].level_node)];
      double *total = node.total.get(), *own = before_.get() + offsets_[i];
      if (parts_[i].begin == node.first) std::fill_n(total, node.n_moments(), 0.0);
      for (std::size_t k = 0; k < node.n_moments(); ++k) {
        const double moment = own[k];
        own[k] = total[k];
        total[k] += moment;
      }
    }
  }

  // Add the charges of a row to the moments of its panel.
  void add_charges(const LevelNode& node, int p, bool weighted, double place, int panel, double* moments) const {
    const bool wins = p < node.middle;
    const double weight = !weighted ? 1.0 : wins ? rows_.winner_weight[p] : rows_.loser_weight[p];
    const double y = rows_.value[p] - rows_.value_centre(), d = exchange_of_.discount[p];
    const double charges[kCharges] = {weight, weight * y, weight * d, weight * y * d};
    double polynomials[kTerms];
    chebyshev_polynomials<kTerms>(place, polynomials);
    double* own = moments + (wins ? 0 : kCharges) * node.size() + static_cast<std::size_t>(panel) * kTerms;
    for (int c = 0; c < kCharges; ++c, own += node.size()) {
#pragma omp simd
      for (int k = 0; k < kTerms; ++k) own[k] += charges[c] * polynomials[k];
    }
  }

  template <bool kAdds, class Sum>
  double add_part(const Part& part, bool weighted, const Ranking& ranking, double* before, Workspace& work, Sum* first,
                  Sum* second) {
    const LevelNode& node = node_of(part);
    const std::size_t n_moments = node.n_moments();
    double *block = work.block.reserve(n_moments), *place = work.place.reserve(static_cast<std::size_t>(node.block));
    std::int32_t* panel = work.panel.reserve(static_cast<std::size_t>(node.block));
    double lambda_sum = 0;
    for (int begin = part.begin; begin < part.end; begin += node.block) {
      const int end = std::min(begin + node.block, part.end);
      if (end - begin < node.last - node.first) {  // otherwise all pairs are within the block
        std::fill_n(block, n_moments, 0.0);
        for (int at = begin; at < end; ++at) {
          const int p = ranking.order[at];
          const double own_panel = panel_of(x_[p]);
          place[at - begin] = place_in_panel(x_[p], own_panel);
          panel[at - begin] = index_of_panel(node.panels, own_panel);
          add_charges(node, p, weighted, place[at - begin], panel[at - begin], block);
        }
        translate_charges<kAdds>(node, before, block, work);
        const double sum = evaluate_block<kAdds>(node, begin, end, weighted, ranking, work, first, second);
        if (!weighted) lambda_sum += sum;
        for (std::size_t k = 0; k < n_moments; ++k) before[k] += block[k];
      }
      if constexpr (kAdds) lambda_sum += add_within_block(node, begin, end, ranking, work, first, second);
    }
    return lambda_sum;
  }

  // fields = what the rows of a block sum over the other blocks, for each charge: first winners, then losers.
  template <bool kAdds>
  void translate_charges(const LevelNode& node, const double* before, const double* block, Workspace& work) const {
    const std::size_t size = node.size();
    double *combined = work.combined.reserve(size), *fields = work.fields.reserve(2 * kChannels * size);
    const int n_sides = kAdds && !is_loss_ ? 2 : 1;
    for (int side = 0; side < n_sides; ++side) {
      for (int c = 0; c < kCharges; ++c) {
        const std::size_t source = static_cast<std::size_t>((1 - side) * kCharges + c) * size;
        const double* total = node.total.get();
        for (std::size_t k = source; k < source + size; ++k) combined[k - source] = 2 * before[k] + block[k] - total[k];
        translate<kTerms>(combined, node.panels, side, false, sum_.expansion,
                          fields + static_cast<std::size_t>(side * kCharges + c) * 2 * size);
      }
    }
  }

  // Evaluate the fields at the rows of a block, and return the sum of phi r, weighted if `weighted`.
  template <bool kAdds, class Sum>
  double evaluate_block(const LevelNode& node, int begin, int end, bool weighted, const Ranking& ranking,
                        const Workspace& work, Sum* first, Sum* second) const {
    const std::size_t per_charge = 2 * node.size();
    double lambda_sum = 0;
    for (int at = begin; at < end; ++at) {
      const int p = ranking.order[at];
      const bool wins = p < node.middle;
      if (!wins && (!kAdds || is_loss_)) continue;
      const double y = rows_.value[p] - rows_.value_centre(), d = exchange_of_.discount[p];
      const double* field = work.fields.get() + (wins ? 0 : kCharges) * per_charge +
                            static_cast<std::size_t>(work.panel[static_cast<std::size_t>(at - begin)]) * 2 * kTerms;
      double combined[2 * kTerms];
#pragma omp simd
      for (int k = 0; k < 2 * kTerms; ++k) {
        const double of_1 = field[k], of_y = field[per_charge + static_cast<std::size_t>(k)];
        const double of_d = field[2 * per_charge + static_cast<std::size_t>(k)];
        const double of_yd = field[3 * per_charge + static_cast<std::size_t>(k)];
        combined[k] = y * (of_d - d * of_1) + d * of_y - of_yd;
      }
      const Evaluated sum = evaluate<kTerms>(work.place[static_cast<std::size_t>(at - begin)], combined);
      if (wins) lambda_sum += sum.first;
      if constexpr (kAdds) {
        const double weight = !weighted ? 1.0 : wins ? rows_.winner_weight[p] : rows_.loser_weight[p];
        first[p] += static_cast<Sum>(is_loss_ ? weight * sum.first : -weight * sum.first);
        second[p] += static_cast<Sum>(weight * (wins ? sum.second : -sum.second));
      }
    }
    return lambda_sum;
  }

  // The pairs within a block, directly: its winners, then its losers, as rows of two labels. Returns the sum of phi r.
  template <class Sum>
  double add_within_block(const LevelNode& node, int begin, int end, const Ranking& ranking, Workspace& work,
                          Sum* first, Sum* second) const {
    const int n = end - begin;
    const std::size_t size = static_cast<std::size_t>(n);
    std::int32_t* row = work.row.reserve(size);
    int n_winners = 0;
    for (int at = begin; at < end; ++at) n_winners += ranking.order[at] < node.middle;
    for (int at = begin, i = 0, j = n_winners; at < end; ++at) {
      const std::int32_t p = ranking.order[at];
      row[p < node.middle ? i++ : j++] = p;
    }
    if (n_winners == 0 || n_winners == n) return 0;
    double* arrays[7];
    double* memory = work.reals.reserve(7 * size);
    for (double*& array : arrays) {
      array = memory;
      memory += n;
    }
    const auto [x, value, discount, winner_weight, loser_weight, sum_first, sum_second] = arrays;
    std::int32_t *run_begin = work.runs.reserve(2 * size), *run_end = run_begin + n;
    for (int i = 0; i < n; ++i) {
      const std::int32_t p = row[i];
      x[i] = x_[p];
      value[i] = rows_.value[p];
      discount[i] = exchange_of_.discount[p];
      run_begin[i] = i < n_winners ? 0 : n_winners;
      run_end[i] = i < n_winners ? n_winners : n;
      sum_first[i] = sum_second[i] = 0;
    }
    const bool weighted = rows_.is_weighted();
    for (int i = 0; i < n && weighted; ++i) {
      winner_weight[i] = rows_.winner_weight[row[i]];
      loser_weight[i] = rows_.loser_weight[row[i]];
    }
    const Rows rows{n,    run_begin, run_end, weighted ? winner_weight : nullptr, weighted ? loser_weight : nullptr,
                    value};
    const Exchange exchange_of{n, 1, 0, discount, nullptr, nullptr};
    work.columns.reserve(n);
    const ExchangeSum<Real> direct{rows, x, is_loss_, exchange_of, work.columns};
    const double lambda_sum = direct.add(0, n, sum_first, sum_second);
    for (int i = 0; i < n; ++i) {
      first[row[i]] += static_cast<Sum>(sum_first[i]);
      second[row[i]] += static_cast<Sum>(sum_second[i]);
    }
    return lambda_sum;
  }

  // Divide the rankings of the nodes of a level between their halves.
  template <class Run>
  void divide(const Ranking& ranking, const Run& run) const {
    std::vector<int> left(parts_.size()), right(parts_.size());  // where the rows of each part go
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Part& part = parts_[i];
      const bool is_first = part.begin == node_of(part).first;
      left[i] = is_first ? part.begin : left[i - 1] + parts_[i - 1].n_left;
      right[i] = is_first ? node_of(part).middle
                          : right[i - 1] + parts_[i - 1].end - parts_[i - 1].begin - parts_[i - 1].n_left;
    }
    const std::int64_t n_parts = static_cast<std::int64_t>(parts_.size());
    run(n_parts, [&](std::int64_t i) {
      const std::size_t k = static_cast<std::size_t>(i);
      partition(ranking, parts_[k].begin, parts_[k].end, node_of(parts_[k]).middle, left[k], right[k]);
    });
    run(n_parts, [&](std::int64_t i) {
      const Part& part = parts_[static_cast<std::size_t>(i)];
      copy_back(ranking, part.begin, part.end);
    });
  }

  // The pairs within the leaves of the tree, directly.
  template <class Run, class Sum>
  double add_leaves(const Run& run, Sum* first, Sum* second) {
    std::vector<Node> leaves;
    for (const Node& node : tree_) {
      if (node.left < 0 && !rows_.has_one_label(node.first, node.last)) leaves.push_back(node);
    }
    std::vector<double> lambda_sums(leaves.size());
    run(static_cast<std::int64_t>(leaves.size()), [&](std::int64_t i) {
      pool_.with([] { return std::make_unique<Workspace>(); },
                 [&](Workspace& work) {
                   const Node& leaf = leaves[static_cast<std::size_t>(i)];
                   work.columns.reserve(leaf.last - leaf.first);
                   const ExchangeSum<Real> direct{rows_, x_, is_loss_, exchange_of_, work.columns};
                   lambda_sums[static_cast<std::size_t>(i)] = direct.add(leaf.first, leaf.last, first, second);
                 });
    });
    return std::accumulate(lambda_sums.begin(), lambda_sums.end(), 0.0);
  }

  const Rows& rows_;
  const double* x_;
  const Exchange& exchange_of_;
  const FastSum& sum_;
  const bool is_loss_;
  const Panels all_panels_;
  std::vector<Node> tree_;
  std::vector<LevelNode> nodes_;      // of the level in progress
  std::vector<Part> parts_;           // node by node
  std::vector<std::size_t> offsets_;  // of the parts' moments
  Buffer<double> before_;
  Pool<Workspace> pool_;
};

}  // namespace pairloss
