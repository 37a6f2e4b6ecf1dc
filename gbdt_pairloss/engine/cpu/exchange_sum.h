// The direct sum with phi = |delta NDCG| (core/exchange.h).
#pragma once

#include "../core/exchange.h"
#include "direct.h"

namespace pairloss {

// What phi of the pairs of a query depends on, besides the values of the rows, which are their gains.
struct Exchange {
  std::int64_t truncation;  // a pair counts if the rank of either row, from 0, is below it
  double base, slope;       // phi is divided by base + slope |s_i - s_j|
  const double* discount;   // of each row
  const double* top;        // 1 if its rank is below the truncation, else 0; null if all ranks are
  const double* place;      // the scores, or noised ones, whose distances count; null if they do not

  RankedRow<double> row(const Rows& rows, int p) const {
    return {rows.value[p], discount[p], top == nullptr ? 1.0 : top[p], place == nullptr ? 0.0 : place[p]};
  }
};

// The kinds of pairs with |delta NDCG|: see direct.h.

template <class R>
struct PlainExchanges {
  using Real = R;
  static constexpr bool kWeighted = false;
  Columns<Real>& columns;

  struct Column {
    Vector<Real> gain, discount;
  };
  using Row = Column;
  PAIRLOSS_INLINE Column column(int at) const {
    return {load<Vector<Real>>(columns.value + at), load<Vector<Real>>(columns.discount + at)};
  }
  PAIRLOSS_INLINE Row row(int i) const { return {splat(columns.value[i]), splat(columns.discount[i])}; }
  PAIRLOSS_INLINE Vector<Real> times_phi(const Vector<Real>& q, const Row& row, const Column& column) const {
    return q * exchange(row.gain - column.gain, row.discount - column.discount);
  }
};

template <class R>
struct WeightedExchanges {
  using Real = R;
  static constexpr bool kWeighted = true;
  Columns<Real>& columns;
  Real base, slope;

  using Column = RankedRow<Vector<Real>>;
  using Row = Column;
  PAIRLOSS_INLINE Column column(int at) const {
    using V = Vector<Real>;
    return {load<V>(columns.value + at), load<V>(columns.discount + at), load<V>(columns.top + at),
            load<V>(columns.place + at)};
  }
  PAIRLOSS_INLINE Row row(int i) const {
    return {splat(columns.value[i]), splat(columns.discount[i]), splat(columns.top[i]), splat(columns.place[i])};
  }
  PAIRLOSS_INLINE Vector<Real> times_phi(const Vector<Real>& q, const Row& row, const Column& column) const {
    return q * exchange(row, column, base, slope);
  }
};

// As DirectSum with phi = |delta NDCG|; the second sums of the loss are the weights of the pairs.
template <class Real>
struct ExchangeSum {
  const Rows& rows;
  const double* x;
  bool is_loss;
  const Exchange& exchange_of;
  Columns<Real>& columns;

  template <class Sum>
  double add(int first, int last, Sum* first_sum, Sum* second_sum) const {
    if (is_loss) {
      add_loss(first, last, first_sum, second_sum);
      return 0;
    }
    const Range range = Range::with_fewest_rows(rows, first, last);
    const Limits limits = load_scores(x, range, columns);
    if (range.n_rows == 0) return 0;
    if (limits.high - limits.low > kWidestWeightedSpread) return add_wide(first, last, first_sum, second_sum);
    clear_totals(range.size(), columns);
    prepare_exponentials(range, limits.low, limits.high, 1.0, Real(0), columns);
    fill(range);
    const bool plain = !rows.is_weighted() && exchange_of.top == nullptr && exchange_of.slope == 0;
    if (!plain) weigh_exponentials(range.size(), columns);
    const double lambda_sum =
        plain ? sum_strips(PlainExchanges<Real>{columns}, range, rows) : sum_strips(weighted(), range, rows);
    add_totals(range, columns, first_sum, second_sum);
    return lambda_sum;
  }

 private:
  WeightedExchanges<Real> weighted() const {
    return {columns, static_cast<Real>(exchange_of.base), static_cast<Real>(exchange_of.slope)};
  }

  // Weights, gains, discounts, whether among the first, and places by score.
  void fill(const Range& range) const {
    const int n = range.size();
    const double* place = exchange_of.place;
    // Floats keep few digits of places far from 0; doubles would lose digits to the difference.
    const bool shifted = std::is_same_v<Real, float> && place != nullptr;
    const double first_place = shifted ? place[range.row_at(0)] : 0.0;
    fill_weights(range, rows, columns);
    for (int i = 0; i < n; ++i) {
      const int p = range.row_at(i);
      columns.discount[i] = static_cast<Real>(exchange_of.discount[p]);
      columns.top[i] = exchange_of.top == nullptr ? Real(1) : static_cast<Real>(exchange_of.top[p]);
      columns.place[i] = static_cast<Real>(place == nullptr ? 0.0 : place[p] - first_place);
    }
    pad(columns.discount, n, Real(0));
    pad(columns.top, n, Real(0));
    pad(columns.place, n, Real(0));
  }

  double phi(int winner, int loser) const {
    return exchange(exchange_of.row(rows, winner), exchange_of.row(rows, loser), exchange_of.base, exchange_of.slope);
  }

  double pair_weight(int winner, int loser) const {
    return rows.is_weighted() ? rows.winner_weight[winner] * rows.loser_weight[loser] : 1.0;
  }

  // As `add` for scores of any spread: an exponential for each pair.
  template <class Sum>
  double add_wide(int first, int last, Sum* gradient, Sum* hessian) const {
    double lambda_sum = 0;
    for (int i = first; i < last; ++i) {
      for (int j = rows.run_end[i]; j < last; ++j) {
        const auto curve = pair_curve_of_difference(x[i] - x[j]);
        const double phi_ij = phi(i, j), weight = phi_ij * pair_weight(i, j);
        lambda_sum += phi_ij * curve.r;
        gradient[i] -= static_cast<Sum>(weight * curve.r);
        gradient[j] += static_cast<Sum>(weight * curve.r);
        hessian[i] += static_cast<Sum>(weight * curve.t);
        hessian[j] += static_cast<Sum>(weight * curve.t);
      }
    }
    return lambda_sum;
  }

  template <class Sum>
  void add_loss(int first, int last, Sum* loss, Sum* weight_won) const {
    const Range range = Range::forward(rows, first, last);
    const int n = range.size();
    const Limits limits = load_scores(x, range, columns);
    const bool wide = limits.high - limits.low > kWidestSpread;
    fill(range);
    if (!wide) prepare_for_loss(range, limits.low, limits.high, columns);
    const auto pairs = weighted();
    for (int i = 0; i < range.n_rows; ++i) {
      const int start = range.first_column(rows, i);
      LossOfRow total{0, 0};
      if (wide) {
        for (int k = start; k < n; ++k) {
          const double weight = phi(first + i, first + k) * columns.weight[k];
          total.loss += weight * softplus_of_difference(x[first + i] - x[first + k]);
          total.weight += weight;
        }
      } else {
        const auto row = pairs.row(i);
        total = loss_of_row(i, start, n, columns, [&](int at) {
          const auto weight = load<Vector<Real>>(columns.weight + at);
          return weight * exchange(row, pairs.column(at), pairs.base, pairs.slope);
        });
      }
      loss[first + i] += static_cast<Sum>(total.loss * columns.row_weight[i]);
      weight_won[first + i] += static_cast<Sum>(total.weight * columns.row_weight[i]);
    }
  }
};

// The sum of phi over the pairs of a query, before all weights.
inline double sum_of_phi(const Rows& rows, const Exchange& exchange_of) {
  double total = 0;
  for (int i = 0; i < rows.n; ++i) {
    const auto winner = exchange_of.row(rows, i);
    for (int j = rows.run_end[i]; j < rows.n; ++j) {
      total += exchange(winner, exchange_of.row(rows, j), exchange_of.base, exchange_of.slope);
    }
  }
  return total;
}

// The sums of a large query that is truncated at k: the first k rows of the ranking against all rows below them.
struct FirstRanks {
  double lambda_sum, phi_sum;
};

inline FirstRanks sum_first_ranks(const Rows& rows, const double* x, const Exchange& exchange_of,
                                  const std::int32_t* order, bool is_loss, double* first, double* second) {
  FirstRanks total{0, 0};
  const int n_first = static_cast<int>(std::min<std::int64_t>(exchange_of.truncation, rows.n));
  for (int rank = 0; rank < n_first; ++rank) {
    const int p = order[rank];
    for (int q = 0; q < rows.n; ++q) {
      if (exchange_of.discount[q] >= exchange_of.discount[p] || rows.run_end[q] == rows.run_end[p]) continue;
      const int i = std::min(p, q), j = std::max(p, q);  // winner and loser
      const double phi =
          exchange(exchange_of.row(rows, i), exchange_of.row(rows, j), exchange_of.base, exchange_of.slope);
      const double d = x[i] - x[j];
      const auto curve = pair_curve_of_difference(d);
      total.phi_sum += phi;
      total.lambda_sum += phi * curve.r;
      const double weight = phi * (rows.is_weighted() ? rows.winner_weight[i] * rows.loser_weight[j] : 1.0);
      if (is_loss) {
        first[i] += weight * softplus_of_difference(d);
        second[i] += weight;
      } else {
        first[i] -= weight * curve.r;
        first[j] += weight * curve.r;
        second[i] += weight * curve.t;
        second[j] += weight * curve.t;
      }
    }
  }
  return total;
}

}  // namespace pairloss
