// The tree of a query: its rows split at label boundaries, direct sums at the leaves, fast sums between halves.
//
// Splitting the rows of a query, in descending order of their labels, at the label boundary nearest their middle, and
// both halves again, covers every ordered pair once: in an inner node every row of the left half beats every row of the
// right one. Nodes that are cheaper to sum directly are not split. As in a fast multipole method each row is expanded
// once, at its leaf: moments are added up from the leaves to the root, and the coefficients of what the other half of
// each ancestor contributes are passed down from the root to the leaves, where each row evaluates their sum.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "../core/charges.h"
#include "../core/chebyshev.h"
#include "buffer.h"
#include "rows.h"

namespace pairloss {

// A leaf of one label has at most this many rows: the least that a task of a large query takes.
constexpr int kMostRowsOfLeaf = 16384;

// Costs in ns, of one core at about 3 GHz, which the choice between the sums rests on. Only their ratios matter.
constexpr double kDirectPair = 0.16;
constexpr double kDirectWeightedPair = 0.5;
constexpr double kExpandRow = 18;
constexpr double kTranslatePanel = 7;
constexpr double kNode = 200;
constexpr double kQueryOfTree = 3000;

// A node of a tree in preorder; -1: none. Children of a split for size only have no side.
struct Node {
  int first, last;
  int left, right, sibling;
  int side;  // 0: its rows win against those of its sibling; 1: they lose
  int depth;
};

// The panels of the scores of a query, and where each score is in them.
class PanelSet {
 public:
  // `panels` is empty if the scores span more panels than a table should hold.
  void find(const double* x, int n, double low, double high) {
    const double first = panel_of(low), last = panel_of(high);
    position_.clear();
    slots_.clear();
    if (last - first >= kMostSlots) return;
    const int n_slots = static_cast<int>(last - first) + 1;
    slots_.assign(static_cast<std::size_t>(n_slots), 1);
    if (last - first >= kFewPanels) {  // few panels are all kept, whether or not they are empty
      std::fill(slots_.begin(), slots_.end(), 0);
      for (int p = 0; p < n; ++p) slots_[static_cast<std::size_t>(panel_of(x[p]) - first)] = 1;
    }
    for (int panel = 0; panel < n_slots; ++panel) {
      if (slots_[static_cast<std::size_t>(panel)] == 0) continue;
      slots_[static_cast<std::size_t>(panel)] = static_cast<std::int32_t>(position_.size());
      position_.push_back(first + panel);
    }
  }

  // The panels of some rows, however many there are; they are found by bisection.
  void find_by_bisection(const double* x, int n) {
    slots_.clear();
    position_.resize(static_cast<std::size_t>(n));
    std::transform(x, x + n, position_.begin(), panel_of);
    std::sort(position_.begin(), position_.end());
    position_.erase(std::unique(position_.begin(), position_.end()), position_.end());
  }

  Panels panels() const {
    return {position_.data(), static_cast<int>(position_.size()), slots_.data(), static_cast<int>(slots_.size())};
  }

 private:
  // Where scores span more panels than this there is no table of them.
  static constexpr int kMostSlots = 4096;
  // So few are all kept, without a look at which of them are empty.
  static constexpr int kFewPanels = 24;

  std::vector<double> position_;
  std::vector<std::int32_t> slots_;
};

// What is summed by expansions, of either kind of phi.
struct FastSum {
  Expansion expansion;
  std::vector<Flow> flows;
  int n_channels, n_targets;
  int n_powers;    // of values and discounts: 1, 2 or 4 (core/charges.h)
  bool is_signed;  // |delta NDCG|: translations count panels above as + and those below as -
};

// A query as the expansions read it.
struct ExpandedQuery {
  const Rows& rows;
  const double* x;
  const double* discount;  // null but for |delta NDCG|
  double centre;           // of the values
  Panels panels;
};

// Arrays of coefficients: (n, panels, terms).
class Coefficients {
 public:
  // Make room for n_nodes times n arrays of `size` numbers, not initialised.
  void reserve(std::size_t n_nodes, int n, std::size_t size) {
    per_node_ = static_cast<std::size_t>(n);
    size_ = size;
    data_.reserve(n_nodes * per_node_ * size_);
  }
  double* at(int node, int k) const {
    return data_.get() + (static_cast<std::size_t>(node) * per_node_ + static_cast<std::size_t>(k)) * size_;
  }
  std::size_t size_of_node() const { return per_node_ * size_; }
  void clear(int node) const { std::fill_n(at(node, 0), size_of_node(), 0.0); }
  void copy(int from, int to) const { std::memcpy(at(to, 0), at(from, 0), size_of_node() * sizeof(double)); }

 private:
  std::size_t per_node_ = 0, size_ = 0;
  Buffer<double> data_;
};

// Whether a range has at most so many ordered pairs. They are counted run by run, of a range of many labels as an upper
// bound, and no further than the answer needs.
inline bool has_at_most(const Rows& rows, int first, int last, double most) {
  double pairs = 0, rest = 0.5 * static_cast<double>(last - first) * (last - first);
  int p = first;
  for (int run = 0; run < 256 && pairs + rest > most; ++run) {
    const int end = std::min(rows.run_end[p], last);
    pairs += static_cast<double>(end - p) * (last - end);
    p = end;
    if (pairs > most) return false;
    rest = 0.5 * static_cast<double>(last - p) * (last - p);
  }
  return pairs + rest <= most;
}

// The label boundary nearest the middle of a range of several labels.
inline int boundary_of(const Rows& rows, int first, int last) {
  const int middle = first + (last - first) / 2;
  const int begin = rows.run_begin[middle], end = rows.run_end[middle];
  return begin > first && (end >= last || middle - begin <= end - middle) ? begin : end;
}

// What it costs to split, in ns: `pair` is a pair of a direct sum, `row` what a split costs for each row.
struct Costs {
  double pair, row;
};

// Split a query whose scores are in so many panels. One node: a direct sum is cheaper.
inline void split(const Rows& rows, int n_panels, const FastSum& sum, const Costs& costs, std::vector<Node>& tree) {
  struct Waiting {
    int first, last, parent, side, depth;
  };
  const int n_flows = static_cast<int>(sum.flows.size());
  const double translation = kTranslatePanel * n_flows * n_panels * std::min(n_panels, 2 * sum.expansion.near + 1);
  const std::size_t most_nodes = 64 + static_cast<std::size_t>(rows.n) / 4;
  std::vector<Waiting> stack{{0, rows.n, -1, -1, 0}};
  tree.clear();
  while (!stack.empty()) {
    const auto [first, last, parent, side, depth] = stack.back();
    stack.pop_back();
    const int node = static_cast<int>(tree.size());
    tree.push_back({first, last, -1, -1, -1, side, depth});
    if (parent >= 0) {
      Node& above = tree[static_cast<std::size_t>(parent)];
      if (above.left < 0) {
        above.left = node;
      } else {
        above.right = node;
        tree.back().sibling = above.left;
        tree[static_cast<std::size_t>(above.left)].sibling = node;
      }
    }
    const bool one_label = rows.has_one_label(first, last);
    int middle;
    if (one_label) {
      if (last - first <= kMostRowsOfLeaf) continue;
      middle = first + (last - first) / 2;
    } else {
      double fast = 2 * (translation + kNode) + costs.row * (last - first);
      if (depth == 0) fast += kQueryOfTree + kExpandRow * n_flows * 0.5 * rows.n;
      if (has_at_most(rows, first, last, fast / costs.pair)) continue;
      middle = boundary_of(rows, first, last);
    }
    if (tree.size() + stack.size() + 2 > most_nodes) continue;
    stack.push_back({middle, last, node, one_label ? -1 : 1, depth + 1});
    stack.push_back({first, middle, node, one_label ? -1 : 0, depth + 1});
  }
}

inline Costs costs_of_direct_sum(const Rows& rows) { return {rows.is_plain() ? kDirectPair : kDirectWeightedPair, 0}; }

// Whether a query of n rows, of which `n_rows` meet others, is summed directly whatever its labels and scores.
inline bool is_direct(int n, int n_rows) {
  return std::min(0.5 * n, static_cast<double>(n_rows)) * n * kDirectPair <= kQueryOfTree + kExpandRow * n;
}

// The most rows of a leaf of the nodes [begin, end) that is summed directly.
inline int longest_leaf(const std::vector<Node>& tree, int begin, int end, const Rows& rows) {
  int longest = 0;
  for (int k = begin; k < end; ++k) {
    const Node& node = tree[static_cast<std::size_t>(k)];
    if (node.left < 0 && !rows.has_one_label(node.first, node.last))
      longest = std::max(longest, node.last - node.first);
  }
  return longest;
}

// The depth of the nodes [begin, end), a whole subtree, below the first of them.
inline int depth_below(const std::vector<Node>& tree, int begin, int end) {
  int deepest = 0;
  for (int k = begin; k < end; ++k) deepest = std::max(deepest, tree[static_cast<std::size_t>(k)].depth);
  return deepest - tree[static_cast<std::size_t>(begin)].depth;
}

// The fast sums of a query. kTerms is the number of terms of the expansion.
template <int kTerms>
class Expander {
 public:
  Expander(const ExpandedQuery& query, const FastSum& sum, const std::vector<Node>& tree)
      : query_(query), sum_(sum), tree_(tree) {}

  static std::size_t size_of_moments(const Panels& panels) { return static_cast<std::size_t>(panels.n) * kTerms; }
  static std::size_t size_of_sums(const Panels& panels) { return static_cast<std::size_t>(panels.n) * 2 * kTerms; }

  // Moments of the nodes [begin, end), whole subtrees, from their rows.
  void gather_up(int begin, int end, Coefficients& moments) const {
    for (int k = end - 1; k >= begin; --k) {
      const Node& node = this->node(k);
      if (node.left >= 0) {
        add_children(k, moments);
      } else {
        moments.clear(k);
        expand_rows(node, k, moments);
      }
    }
  }

  void add_children(int k, Coefficients& moments) const {
    const double *left = moments.at(node(k).left, 0), *right = moments.at(node(k).right, 0);
    double* own = moments.at(k, 0);
    for (std::size_t i = 0; i < moments.size_of_node(); ++i) own[i] = left[i] + right[i];
  }

  // Add what the rows of a node sum over its sibling's to `sums`, an entry for each target, and return the sum of phi r
  // of these pairs, as far as flows count it. `translated` is memory for one translation.
  double add_sibling(int k, const Coefficients& moments, const Coefficients& sums, int depth,
                     double* translated) const {
    const Node& node = this->node(k);
    const Panels& panels = query_.panels;
    double lambda_sum = 0;
    if (node.side < 0) return lambda_sum;
    for (const Flow& flow : sum_.flows) {
      if (flow.side != node.side) continue;
      translate<kTerms>(moments.at(node.sibling, flow.source), panels, node.side, sum_.is_signed, sum_.expansion,
                        translated);
      if (flow.target >= 0) {
        double* target = sums.at(depth, flow.target);
        for (int panel = 0; panel < panels.n; ++panel) {
          for (int l = 0; l < kTerms; ++l) {
            const std::int64_t at = static_cast<std::int64_t>(panel) * 2 * kTerms + l;
            target[at] += flow.sign * translated[at];
            target[at + kTerms] += flow.sign_slope * translated[at + kTerms];
          }
        }
      }
      if (flow.dual >= 0) {
        const double* own = moments.at(k, flow.dual);
        double total = 0;
        for (int panel = 0; panel < panels.n; ++panel) {
#pragma omp simd reduction(+ : total)
          for (int l = 0; l < kTerms; ++l)
            total += translated[static_cast<std::int64_t>(panel) * 2 * kTerms + l] *
                     own[static_cast<std::int64_t>(panel) * kTerms + l];
        }
        lambda_sum += flow.dual_sign * total;
      }
    }
    return lambda_sum;
  }

  // Add what the coefficients of a leaf say to the sums of its rows.
  template <class Sum>
  void evaluate_rows(int first, int last, const Coefficients& sums, int depth, Sum* first_sum, Sum* second_sum) const {
    const double* coefficients = sums.at(depth, 0);
    const std::size_t per_target = size_of_sums(query_.panels);
    for_places(first, last, [&](int p, double place, std::size_t panel) {
      const double* own = coefficients + panel * 2 * kTerms;
      Evaluated sum{0, 0};
      if (query_.rows.is_plain()) {
        sum = evaluate<kTerms>(place, own);
      } else {
        for (int target = 0; target < sum_.n_targets; ++target, own += per_target) {
          const Evaluated some = evaluate<kTerms>(place, own);
          const double factor = charge(p, target / sum_.n_powers, sum_.n_powers - 1 - target % sum_.n_powers);
          sum.first += factor * some.first;
          sum.second += factor * some.second;
        }
      }
      first_sum[p] += static_cast<Sum>(sum.first);
      second_sum[p] += static_cast<Sum>(sum.second);
    });
  }

  // Add the sums of the rows of the subtree of the nodes [begin, end), and return the sum of phi r. `sums` holds the
  // coefficients of a node at each depth of the subtree; the first are those of what its rows sum over the rows outside
  // of it. `at_node(k)` is called for inner nodes.
  template <class Direct, class AtNode, class Sum>
  double pass_down(int begin, int end, const Coefficients& moments, const Coefficients& sums, double* translated,
                   const Direct& direct, const AtNode& at_node, Sum* first_sum, Sum* second_sum) const {
    double lambda_sum = 0;
    for (int k = begin; k < end; ++k) {
      const Node& node = this->node(k);
      const int depth = node.depth - this->node(begin).depth;
      if (depth > 0) {
        sums.copy(depth - 1, depth);
        lambda_sum += add_sibling(k, moments, sums, depth, translated);
      }
      if (node.left >= 0) {
        lambda_sum += at_node(k);
        continue;
      }
      if (query_.panels.n > 0) evaluate_rows(node.first, node.last, sums, depth, first_sum, second_sum);
      if (!query_.rows.has_one_label(node.first, node.last)) {
        lambda_sum += direct.add(node.first, node.last, first_sum, second_sum);
      }
    }
    return lambda_sum;
  }

  const Node& node(int k) const { return tree_[static_cast<std::size_t>(k)]; }
  const ExpandedQuery& query() const { return query_; }
  const FastSum& sum() const { return sum_; }

 private:
  // The charge or factor of a row in a role, times powers of its value and discount.
  double charge(int p, int role, int power) const {
    const Rows& rows = query_.rows;
    const double* weight = role == 0 ? rows.winner_weight : role == 1 ? rows.loser_weight : nullptr;
    return charge_of(weight == nullptr ? 1.0 : weight[p], power, power % 2 == 1 ? rows.value[p] - query_.centre : 0.0,
                     power >= 2 ? query_.discount[p] : 0.0);
  }

  void expand_rows(const Node& node, int k, Coefficients& moments) const {
    const std::size_t per_channel = size_of_moments(query_.panels);
    for_places(node.first, node.last, [&](int p, double place, std::size_t panel) {
      double* own = moments.at(k, 0) + panel * kTerms;
      if (query_.rows.is_plain()) {
        add_moments<kTerms>(place, 1.0, own);
      } else {
        for (int channel = 0; channel < sum_.n_channels; ++channel, own += per_channel) {
          add_moments<kTerms>(place, charge(p, channel / sum_.n_powers, channel % sum_.n_powers), own);
        }
      }
    });
  }

  // Call function(row, place in its panel, index of the panel) for some rows.
  template <class Function>
  void for_places(int first, int last, const Function& function) const {
    const double* x = query_.x;
    const Panels panels = query_.panels;
    for (int p = first; p < last; ++p) {
      const double panel = panel_of(x[p]);
      function(p, place_in_panel(x[p], panel), static_cast<std::size_t>(index_of_panel(panels, panel)));
    }
  }

  const ExpandedQuery& query_;
  const FastSum& sum_;
  const std::vector<Node>& tree_;
};

}  // namespace pairloss
