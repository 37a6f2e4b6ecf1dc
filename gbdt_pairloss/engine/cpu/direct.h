// The direct sum: every pair of a range of rows, one reciprocal each and no exponential (core/pair_curve.h).
//
// The rows of a range are in descending order of their labels, so that what row i beats is a suffix of the range. Up to
// four rows are kept in registers while the suffix streams past: the sums of the columns are kept in an array, those of
// the rows in registers.
#pragma once

#include <type_traits>

#include "../core/power_of_two.h"
#include "columns.h"

namespace pairloss {

// Entries are summed in the working precision over at most this many rows or columns, and then added up in double. The
// rounding of float then stays below 1e-6 even where all terms are equal and so round in the same direction.
constexpr int kRowsPerSum = 64;
constexpr int kColumnsPerSum = 512;

// The sums of rows and columns with their common factors outside. With q = 1 / (e_i + e_j), winner i and loser j have
// r = e_j q and t = e_i e_j q^2 (core/pair_curve.h), so that a row and a column sum up
//
//     row i        sum_j phi w_j r = sum_j (w_j e_j) phi q        sum_j phi w_j t = e_i sum_j (w_j e_j) phi q^2
//     column j     sum_i phi w_i r = e_j sum_i w_i phi q          sum_i phi w_i t = e_j sum_i (w_i e_i) phi q^2
//
// and their own weights. q^2 stays within float's range because scores are no further apart than `widest_spread`.

// The kinds of pairs: whether rows have weights, and phi. A kind reads rows and columns from the arrays.

template <class R>
struct PlainPairs {
  using Real = R;
  static constexpr bool kWeighted = false;
  Columns<Real>& columns;

  struct Column {};
  struct Row {};
  PAIRLOSS_INLINE Column column(int) const { return {}; }
  PAIRLOSS_INLINE Row row(int) const { return {}; }
  PAIRLOSS_INLINE Vector<Real> times_phi(const Vector<Real>& q, const Row&, const Column&) const { return q; }
};

template <class R, bool kHasWeights>
struct ValuedPairs {
  using Real = R;
  static constexpr bool kWeighted = kHasWeights;
  Columns<Real>& columns;

  struct Column {
    Vector<Real> value;
  };
  using Row = Column;
  PAIRLOSS_INLINE Column column(int at) const { return {load<Vector<Real>>(columns.value + at)}; }
  PAIRLOSS_INLINE Row row(int i) const { return {splat(columns.row_value[i])}; }
  PAIRLOSS_INLINE Vector<Real> times_phi(const Vector<Real>& q, const Row& row, const Column& column) const {
    return q * (row.value - column.value);
  }
};

// Add the sums of the lanes of M vectors, times a factor each, to totals.
template <int M, class Real>
PAIRLOSS_INLINE void add_to_totals(double* totals, const Real (&factors)[M], const Vector<Real> (&sums)[M]) {
  if constexpr (M == 4) {
    using FourDoubles = double __attribute__((vector_size(4 * sizeof(double))));
    const auto four = __builtin_convertvector(sums_of_lanes(sums[0], sums[1], sums[2], sums[3]), FourDoubles);
    const FourDoubles factor = {factors[0], factors[1], factors[2], factors[3]};
    store(totals, load<FourDoubles>(totals) + factor * four);
  } else {
    for (int k = 0; k < M; ++k) totals[k] += static_cast<double>(factors[k]) * sum_of_lanes(sums[k]);
  }
}

// Sum over the pairs of M rows from `first` on and the columns from their starts, ascending and less than a vector
// apart, up to `stop`, rounded up to a whole vector. Returns the sum of phi r without weights if rows have weights.
template <int M, class Pairs>
PAIRLOSS_INLINE double sum_rows(const Pairs& pairs, int first, const int (&starts)[M], int stop) {
  using Real = typename Pairs::Real;
  using V = Vector<Real>;
  constexpr bool kWeighted = Pairs::kWeighted;
  auto& columns = pairs.columns;
  const Real *const all_e = columns.e, *const all_weighted_e = columns.weighted_e;
  Real *const sum_r = columns.sum_r, *const sum_t = columns.sum_t;
  typename Pairs::Row rows[M];
  V e[M], weight[M], weighted_e[M], total_r[M] = {}, total_t[M] = {}, lambda[M] = {};
#pragma GCC unroll 4
  for (int k = 0; k < M; ++k) {
    rows[k] = pairs.row(first + k);
    e[k] = splat(columns.e[first + k]);
    if constexpr (kWeighted) weight[k] = splat(columns.row_weight[first + k]);
    weighted_e[k] = kWeighted ? weight[k] * e[k] : e[k];
  }

  const auto step = [&](int at, auto masked) __attribute__((always_inline)) {
    const auto column = pairs.column(at);
    const V column_e = load<V>(all_e + at);
    const V column_weighted_e = kWeighted ? load<V>(all_weighted_e + at) : column_e;
    V column_r[M], column_t[M];
#pragma GCC unroll 4
    for (int k = 0; k < M; ++k) {
      V q = Reciprocal<V>::of(e[k] + column_e);
      if constexpr (decltype(masked)::value) {  // columns that row k does not meet add nothing
        q = lane_numbers<Real>() + at >= starts[k] ? q : V{};
      }
      const V p = pairs.times_phi(q, rows[k], column), u = p * q;
      total_r[k] += column_weighted_e * p;
      total_t[k] += column_weighted_e * u;
      column_r[k] = kWeighted ? weight[k] * p : p;
      column_t[k] = weighted_e[k] * u;
      if constexpr (kWeighted) lambda[k] += column_e * p;
    }
#pragma GCC unroll 4
    for (int width = M / 2; width > 0; width /= 2) {
#pragma GCC unroll 4
      for (int k = 0; k < width; ++k) {
        column_r[k] += column_r[k + width];
        column_t[k] += column_t[k + width];
      }
    }
    store(sum_r + at, load<V>(sum_r + at) + column_r[0]);
    store(sum_t + at, load<V>(sum_t + at) + column_t[0]);
  };

  int at = starts[0];
  if constexpr (M > 1) {
    for (; at < starts[M - 1]; at += kLanes<Real>) step(at, std::true_type{});
  }
  for (; at < stop; at += kLanes<Real>) step(at, std::false_type{});
  Real own[M], own_e[M];
#pragma GCC unroll 4
  for (int k = 0; k < M; ++k) {
    own[k] = kWeighted ? columns.row_weight[first + k] : Real(1);
    own_e[k] = weighted_e[k][0];
  }
  add_to_totals(columns.total_r + first, own, total_r);
  add_to_totals(columns.total_t + first, own_e, total_t);
  if constexpr (!kWeighted) return 0;
  V lambda_sum = lambda[0];
#pragma GCC unroll 4
  for (int k = 1; k < M; ++k) lambda_sum += lambda[k];
  return sum_of_lanes(lambda_sum);
}

// Add what the columns have summed to their totals, r as -, and clear it. Returns the sum of r. It runs to the end of a
// whole vector, since columns beyond the last have e = 0. Their sums are not 0 and are cleared as well.
template <bool kWeighted, class Real>
double flush_columns(int start, int n, Columns<Real>& columns) {
  double sum = 0;
  const Real* factor = kWeighted ? columns.weighted_e : columns.e;
  Real *sum_r = columns.sum_r, *sum_t = columns.sum_t;
  double *total_r = columns.total_r, *total_t = columns.total_t;
  const int size = (n - start + kPadding - 1) / kPadding * kPadding;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < size; ++i) {
    const int k = start + i;
    const double r = static_cast<double>(factor[k]) * sum_r[k], t = static_cast<double>(factor[k]) * sum_t[k];
    sum += r;
    total_r[k] -= r;
    total_t[k] += t;
    sum_r[k] = 0;
    sum_t[k] = 0;
  }
  pad(sum_r, n, Real(0));
  pad(sum_t, n, Real(0));
  return sum;
}

// Sum over all pairs of a range: its totals in its orientation, r of rows as + and of columns as -. Returns the sum of
// phi r without weights.
template <class Pairs>
double sum_strips(const Pairs& pairs, const Range& range, const Rows& rows) {
  constexpr int kWidth = kLanes<typename Pairs::Real>;
  const int n = range.size();
  double lambda_sum = 0;
  for (int strip = 0; strip < range.n_rows; strip += kRowsPerSum) {
    const int end = std::min(strip + kRowsPerSum, range.n_rows);
    const int first_start = range.first_column(rows, strip);
    for (int i = strip, m = 1; i < end; i += m) {
      const int a = range.first_column(rows, i);
      // How many rows start in the same vector of columns.
      int b = a, c = a, d = a;
      m = 1;
      if (i + 4 <= end && (d = range.first_column(rows, i + 3)) - a < kWidth) {
        m = 4;
        if (d > a) {
          b = range.first_column(rows, i + 1);
          c = range.first_column(rows, i + 2);
        }
      } else if (i + 2 <= end && (b = range.first_column(rows, i + 1)) - a < kWidth) {
        m = 2;
      }
      for (int left = a; left < n; left += kColumnsPerSum) {
        const int stop = std::min(left + kColumnsPerSum, n);
        if (m == 4) {
          lambda_sum += sum_rows<4>(pairs, i, {left, std::max(left, b), std::max(left, c), std::max(left, d)}, stop);
        } else if (m == 2) {
          lambda_sum += sum_rows<2>(pairs, i, {left, std::max(left, b)}, stop);
        } else {
          lambda_sum += sum_rows<1>(pairs, i, {left}, stop);
        }
      }
    }
    const double sum = flush_columns<Pairs::kWeighted>(first_start, n, pairs.columns);
    if constexpr (!Pairs::kWeighted) lambda_sum += sum;
  }
  return lambda_sum;
}

template <class Real>
void clear_totals(int n, Columns<Real>& columns) {
  std::fill_n(columns.total_r, n + kPadding, 0.0);
  std::fill_n(columns.total_t, n + kPadding, 0.0);
}

// The spread of scores, in temperatures, that the sums of pairs take; scores further apart are summed in double.
inline double widest_spread(const Rows& rows) { return rows.is_plain() ? kWidestSpread : kWidestWeightedSpread; }

// As `sum_oriented` for scores of any spread: e = fraction * 2^exponent, in double.
template <class Real>
double sum_wide(const Range& range, double temperature, const Rows& rows, Columns<Real>& columns) {
  const int n = range.size();
  double *x = columns.x, *fraction = columns.fraction, *exponent = columns.exponent;
  fill_weights(range, rows, columns);
  const double centre = nearest_zero(x, n);
  const double scale = (range.mirrored ? -1 : 1) / temperature * kLog2E;
  for (int i = 0; i < n; ++i) {
    const double power = (x[i] - centre) * scale;
    exponent[i] = std::rint(power);
    fraction[i] = std::exp((power - exponent[i]) * kLn2);
  }
  double lambda_sum = 0;
  for (int i = 0; i < range.n_rows; ++i) {
    double sum_r = 0, sum_t = 0;
    for (int k = range.first_column(rows, i); k < n; ++k) {
      const double shift = std::min(std::max(exponent[i] - exponent[k], -1000.0), 1000.0);
      const double ratio = fraction[i] / fraction[k] * power_of_two<double>(static_cast<std::int64_t>(shift));
      const double phi = static_cast<double>(columns.row_value[i]) - columns.value[k];
      const auto curve = pair_curve(ratio, 1.0, phi);
      lambda_sum += curve.r;
      const double weight = static_cast<double>(columns.row_weight[i]) * columns.weight[k];
      sum_r += weight * curve.r;
      sum_t += weight * curve.t;
      columns.total_r[k] -= weight * curve.r;
      columns.total_t[k] += weight * curve.t;
    }
    columns.total_r[i] += sum_r;
    columns.total_t[i] += sum_t;
  }
  return lambda_sum;
}

// Exponentials for pairs of a range; columns beyond the last have e = `beyond`.
template <class Real>
void prepare_exponentials(const Range& range, double low, double high, double temperature, Real beyond,
                          Columns<Real>& columns) {
  const int n = range.size();
  for (int k = 0; k < kPadding; ++k) columns.x[n + k] = low;
  exponentiate(n, 0.5 * low + 0.5 * high, (range.mirrored ? -1 : 1) / temperature, columns);
  pad(columns.e, n, beyond);
}

// Exponentials times the weights of the columns.
template <class Real>
void weigh_exponentials(int n, Columns<Real>& columns) {
  Real *weighted_e = columns.weighted_e, *e = columns.e, *weight = columns.weight;
#pragma omp simd
  for (int i = 0; i < n; ++i) weighted_e[i] = weight[i] * e[i];
  pad(weighted_e, n, Real(0));
}

// Sum over the pairs of a range whose scores are in `columns.x`, with the given extremes. Returns the sum of phi r over
// the pairs without weights. The totals of columns are the sums of phi r with weights, + for rows and - for columns,
// and of phi t.
template <class Real>
double sum_oriented(const Range& range, double low, double high, double temperature, const Rows& rows,
                    Columns<Real>& columns) {
  clear_totals(range.size(), columns);
  if (range.n_rows == 0) return 0;
  if ((high - low) / temperature > widest_spread(rows)) return sum_wide(range, temperature, rows, columns);
  prepare_exponentials(range, low, high, temperature, Real(0), columns);
  if (rows.is_plain()) return sum_strips(PlainPairs<Real>{columns}, range, rows);
  fill_weights(range, rows, columns);
  if (!rows.is_weighted()) return sum_strips(ValuedPairs<Real, false>{columns}, range, rows);
  weigh_exponentials(range.size(), columns);
  return sum_strips(ValuedPairs<Real, true>{columns}, range, rows);
}

// Add the totals of a range to the gradient and Hessian of its rows: winners count -, losers +.
template <class Real, class Sum>
void add_totals(const Range& range, const Columns<Real>& columns, Sum* gradient, Sum* hessian) {
  const int n = range.size();
  for (int i = 0; i < n; ++i) {
    const int p = range.row_at(i);
    gradient[p] += static_cast<Sum>(range.mirrored ? columns.total_r[i] : -columns.total_r[i]);
    hessian[p] += static_cast<Sum>(columns.total_t[i]);
  }
}

// Scores from the middle in two parts, since one part would not do in float, and exponentials, for the loss.
template <class Real>
void prepare_for_loss(const Range& range, double low, double high, Columns<Real>& columns) {
  const int n = range.size();
  const double middle = 0.5 * low + 0.5 * high;
  prepare_exponentials(range, low, high, 1.0, Real(1), columns);
  for (int i = 0; i < n; ++i) {
    const double score = columns.x[i] - middle;
    columns.score[i] = static_cast<Real>(score);
    columns.score_rest[i] = static_cast<Real>(score - columns.score[i]);
  }
  pad(columns.score, n, Real(0));
  pad(columns.score_rest, n, Real(0));
}

// What a winner sums over columns: the weighted loss of its pairs, and their weights, both without its own weight.
struct LossOfRow {
  double loss, weight;
};

// Sum over the columns from `start` to n; phi_of(at) returns phi of a vector of pairs times the weights of the columns.
template <class Real, class Phi>
LossOfRow loss_of_row(int i, int start, int n, const Columns<Real>& columns, const Phi& phi_of) {
  using V = Vector<Real>;
  const V score = splat(columns.score[i]), rest = splat(columns.score_rest[i]), e = splat(columns.e[i]);
  LossOfRow total{0, 0};
  for (int left = start; left < n; left += kColumnsPerSum) {
    V loss = {}, weight = {};
    for (int at = left; at < std::min(left + kColumnsPerSum, n); at += kLanes<Real>) {
      const V phi = phi_of(at);
      const V above = (load<V>(columns.score + at) - score) + (load<V>(columns.score_rest + at) - rest);
      loss += phi * softplus<Real>(above, e, load<V>(columns.e + at));
      weight += phi;
    }
    total.loss += sum_of_lanes(loss);
    total.weight += sum_of_lanes(weight);
  }
  return total;
}

// The direct sum with phi that is 1 or a difference of values, for the leaves of a tree (tree.h).
template <class Real>
struct DirectSum {
  const Rows& rows;
  const double* x;  // scores over the temperature
  bool is_loss;
  Columns<Real>& columns;

  // Add the sums over all pairs of a range to its rows, without the factors of the query. Returns the sum of phi r
  // without weights, 0 for the loss.
  template <class Sum>
  double add(int first, int last, Sum* first_sum, Sum* second_sum) const {
    if (is_loss) {
      add_loss(first, last, first_sum);
      return 0;
    }
    const Range range = Range::with_fewest_rows(rows, first, last);
    const Limits limits = load_scores(x, range, columns);
    const double lambda_sum = sum_oriented(range, limits.low, limits.high, 1.0, rows, columns);
    add_totals(range, columns, first_sum, second_sum);
    return lambda_sum;
  }

 private:
  template <class Sum>
  void add_loss(int first, int last, Sum* loss) const {
    const Range range = Range::forward(rows, first, last);
    const int n = range.size();
    const Limits limits = load_scores(x, range, columns);
    fill_weights(range, rows, columns);
    const bool wide = limits.high - limits.low > kWidestSpread;
    if (!wide) prepare_for_loss(range, limits.low, limits.high, columns);
    for (int i = 0; i < range.n_rows; ++i) {
      const int start = range.first_column(rows, i);
      double total = 0;
      if (wide) {
        for (int k = start; k < n; ++k) {
          const double phi = (static_cast<double>(columns.row_value[i]) - columns.value[k]) * columns.weight[k];
          total += phi * softplus_of_difference(columns.x[i] - columns.x[k]);
        }
      } else {
        using V = Vector<Real>;
        const V value = splat(columns.row_value[i]);
        total = loss_of_row(i, start, n, columns, [&](int at) {
                  return (value - load<V>(columns.value + at)) * load<V>(columns.weight + at);
                }).loss;
      }
      loss[first + i] += static_cast<Sum>(total * columns.row_weight[i]);
    }
  }
};

}  // namespace pairloss
