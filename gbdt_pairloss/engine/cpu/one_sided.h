// |delta NDCG| for large queries: all pairs in O(n log n).
//
// |D_i - D_j| is D_j - D_i where j is above i in the current ranking, and its negative below. Rows of panels above or
// below a row's own panel are above or below the row altogether: there the fast sum needs a sign only. Within the own
// panel, read from the best score down, the moments of what has been passed are those of the rows above; those below
// are the rest. So
//
//     S_c(i) = sum_{j above} K_ij c_j - sum_{j below} K_ij c_j = f_i . (2 R_c - M_c)
//
// with R the running and M the panel's moments of the charges c = 1, y, D, y D, and f_i the row's expansion of the
// kernel. The sum over phi K is -y_i D_i S_1 + D_i S_y + y_i S_D - S_yD.
#pragma once

#include <limits>

#include "tree.h"

namespace pairloss {

// ns; see tree.h.
constexpr Costs kOneSidedCosts{0.35, 90};

// The rows of a query in the order of its ranking; `spare` is memory of the same size.
struct Ranking {
  std::int32_t* order;
  std::int32_t* spare;
};

// Divide the rows ranked [begin, end) of a node between its children: to `left` and `right` on. Returns how many are
// the left child's, the rows before `middle`.
inline void partition(const Ranking& ranking, int begin, int end, int middle, int left, int right) {
  for (int at = begin; at < end; ++at) {
    const std::int32_t p = ranking.order[at];
    const bool is_left = p < middle;
    ranking.spare[is_left ? left : right] = p;
    left += is_left;
    right += !is_left;
  }
}

inline void copy_back(const Ranking& ranking, int begin, int end) {
  std::copy(ranking.spare + begin, ranking.spare + end, ranking.order + begin);
}

// Add what winners and losers of a node sum over each other within their own panels, for the rows ranked [begin, end),
// whole panels. Returns the sum of phi r of these pairs, without weights, where the flows ask for it.
template <int kTerms>
class Sweep {
 public:
  explicit Sweep(const Expander<kTerms>& expander) : expander_(expander) {}

  template <class Sum>
  double operator()(int begin, int end, int node, const Coefficients& moments, const Ranking& ranking, Sum* first,
                    Sum* second) const {
    // Weighted sums are not the sum of phi r. Where that is asked for, the moments have channels of role 2, and it
    // takes a sweep of its own.
    const bool separate = expander_.sum().n_channels == 12;
    const double lambda_sum = sweep<true>(begin, end, node, moments, ranking, first, second);
    return separate ? sweep<false>(begin, end, node, moments, ranking, first, second) : lambda_sum;
  }

 private:
  // With kAdds the sums are added to those of the rows; without it weights do not count and nothing is added.
  template <bool kAdds, class Sum>
  double sweep(int begin, int end, int node, const Coefficients& moments, const Ranking& ranking, Sum* first,
               Sum* second) const {
    const ExpandedQuery& query = expander_.query();
    const Rows& rows = query.rows;
    const Expansion& expansion = expander_.sum().expansion;
    const int left = expander_.node(node).left, right = expander_.node(node).right;
    const int middle = expander_.node(left).last;
    const bool weighted = rows.is_weighted() && kAdds;
    // The moments of the other half: winners sum over the charges of the right child as losers, losers over those of
    // the left child as winners.
    const double* totals[2] = {moments.at(right, weighted ? 4 : kAdds ? 0 : 8), moments.at(left, kAdds ? 0 : 8)};
    const std::size_t per_channel = Expander<kTerms>::size_of_moments(query.panels);
    const double* matrices[2];
    for (int side = 0; side < 2; ++side) {
      matrices[side] = expansion.kernels + (side * (2 * expansion.near + 1) + expansion.near) * kTerms * 2 * kTerms;
    }
    double seen[2][4][kTerms] = {};
    double lambda_sum = 0, current = std::numeric_limits<double>::infinity();
    std::size_t here = 0;
    for (int at = begin; at < end; ++at) {
      const int p = ranking.order[at];
      const double d = query.discount[p], panel = panel_of(query.x[p]);
      if (panel != current) {
        current = panel;
        here = static_cast<std::size_t>(index_of_panel(query.panels, panel)) * kTerms;
        std::memset(seen, 0, sizeof seen);
      }
      double polynomials[kTerms];
      chebyshev_polynomials<kTerms>(place_in_panel(query.x[p], panel), polynomials);
      const double y = rows.value[p] - query.centre;
      const bool wins = p < middle;
      const int other = wins ? 0 : 1, own = 1 - other;
      double combined[kTerms];
#pragma omp simd
      for (int k = 0; k < kTerms; ++k) {
        const double* total = totals[other] + here + static_cast<std::size_t>(k);
        const double of_1 = 2 * seen[other][0][k] - total[0], of_y = 2 * seen[other][1][k] - total[per_channel];
        const double of_d = 2 * seen[other][2][k] - total[2 * per_channel];
        const double of_yd = 2 * seen[other][3][k] - total[3 * per_channel];
        combined[k] = y * (of_d - d * of_1) + d * of_y - of_yd;
      }
      double image[2 * kTerms] = {};
      add_translated<kTerms>(matrices[other], combined, 1, image);
      double sum_first = 0, sum_second = 0;
#pragma omp simd reduction(+ : sum_first, sum_second)
      for (int k = 0; k < kTerms; ++k) {
        sum_first += image[k] * polynomials[k];
        sum_second += image[k + kTerms] * polynomials[k];
      }
      const double weight = !weighted ? 1.0 : wins ? rows.winner_weight[p] : rows.loser_weight[p];
      if (wins) lambda_sum += sum_first;
      if (kAdds && expansion.is_loss) {
        if (wins) {
          first[p] += static_cast<Sum>(weight * sum_first);
          second[p] += static_cast<Sum>(weight * sum_second);
        }
      } else if (kAdds) {
        first[p] -= static_cast<Sum>(weight * sum_first);
        second[p] += static_cast<Sum>(weight * (wins ? sum_second : -sum_second));
      }
#pragma omp simd
      for (int k = 0; k < kTerms; ++k) {
        const double charge = weight * polynomials[k];
        seen[own][0][k] += charge;
        seen[own][1][k] += y * charge;
        seen[own][2][k] += d * charge;
        seen[own][3][k] += y * d * charge;
      }
    }
    return lambda_sum;
  }

  const Expander<kTerms>& expander_;
};

// As Expander::pass_down with |delta NDCG|: at every node that separates labels its ranking is swept and divided
// between the children. The ranking is used up.
template <int kTerms, class Direct, class Sum>
double pass_down_one_sided(const Expander<kTerms>& expander, int begin, int end, const Coefficients& moments,
                           const Coefficients& sums, double* translated, const Ranking& ranking, const Direct& direct,
                           Sum* first, Sum* second) {
  const Sweep<kTerms> sweep(expander);
  const auto at_node = [&](int k) {
    const Node& node = expander.node(k);
    if (expander.node(node.left).side < 0) return 0.0;
    const double lambda_sum = sweep(node.first, node.last, k, moments, ranking, first, second);
    const int middle = expander.node(node.left).last;
    partition(ranking, node.first, node.last, middle, node.first, middle);
    copy_back(ranking, node.first, node.last);
    return lambda_sum;
  };
  return expander.pass_down(begin, end, moments, sums, translated, direct, at_node, first, second);
}

}  // namespace pairloss
