// Queries whose scores are spread over more panels than a table holds: outliers, and scores of any magnitude.
//
// Moments of every node of the tree in every panel would take memory that grows faster than the query. Here each node,
// one at a time, has the panels of its own rows and is a tree of its own, of two leaves; its rows are expanded anew.
#pragma once

#include "one_sided.h"

namespace pairloss {

// ns: a pair that is summed directly, and a row that is expanded and evaluated.
constexpr double kSpreadPair = 3;
constexpr double kSpreadRow = 500;

// Queries of more pairs than this take part; the pairs of others are summed directly, at a few ns each.
constexpr double kMostDirectPairs = 1e6;

inline bool is_spread(int n, const Panels& panels) {
  return panels.n == 0 && 0.5 * static_cast<double>(n) * n > kMostDirectPairs;
}

// Add the sums of a query, without its factors, and return the sum of phi r. `ranking`, which is used up, is that of
// |delta NDCG|; null otherwise.
template <int kTerms, class Direct, class Sum>
double sum_spread(const Rows& rows, const double* x, const double* discount, const FastSum& sum, const Direct& direct,
                  const Ranking* ranking, Sum* first_sum, Sum* second_sum) {
  struct Waiting {
    int first, last;
  };
  constexpr std::size_t kMostWaiting = 256;
  std::vector<Waiting> stack{{0, rows.n}};
  PanelSet panel_set;
  Coefficients moments, sums;
  std::vector<double> translated;
  double lambda_sum = 0;
  while (!stack.empty()) {
    const auto [first, last] = stack.back();
    stack.pop_back();
    if (rows.has_one_label(first, last)) continue;
    if (has_at_most(rows, first, last, kSpreadRow / kSpreadPair * (last - first)) || stack.size() + 2 > kMostWaiting) {
      lambda_sum += direct.add(first, last, first_sum, second_sum);
      continue;
    }
    const int middle = boundary_of(rows, first, last);
    const std::vector<Node> tree{
        {first, last, 1, 2, -1, -1, 0}, {first, middle, -1, -1, 2, 0, 1}, {middle, last, -1, -1, 1, 1, 1}};
    panel_set.find_by_bisection(x + first, last - first);
    const ExpandedQuery query{rows, x, discount, rows.value_centre(), panel_set.panels()};
    const Expander<kTerms> expander(query, sum, tree);
    moments.reserve(3, sum.n_channels, expander.size_of_moments(query.panels));
    sums.reserve(1, sum.n_targets, expander.size_of_sums(query.panels));
    translated.resize(expander.size_of_sums(query.panels));
    expander.gather_up(1, 3, moments);
    if (ranking != nullptr) {
      lambda_sum += Sweep<kTerms>(expander)(first, last, 0, moments, *ranking, first_sum, second_sum);
      partition(*ranking, first, last, middle, first, middle);
      copy_back(*ranking, first, last);
    }
    for (int child = 1; child < 3; ++child) {
      const Node& node = expander.node(child);
      sums.clear(0);
      lambda_sum += expander.add_sibling(child, moments, sums, 0, translated.data());
      expander.evaluate_rows(node.first, node.last, sums, 0, first_sum, second_sum);
      stack.push_back({node.first, node.last});
    }
  }
  return lambda_sum;
}

}  // namespace pairloss
