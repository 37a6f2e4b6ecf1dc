// The rows of a range as the rows and columns of a direct sum: their orientation, exponentials, weights and sums.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "../core/pair_curve.h"
#include "buffer.h"
#include "rows.h"
#include "simd.h"

namespace pairloss {

// Scores over the temperature beyond this are left to the reference engine.
constexpr double kLargestScore = 1e290;

// A range [first, last) of the rows of a query, in the orientation in which it is summed. Row i of `n_rows` meets the
// columns from `first_column` to the last. Winners are the rows and losers the columns, or, in a **mirrored** range,
// which is read backwards with exp(-s / T), the other way round: there are then fewer rows.
struct Range {
  int first, last;
  bool mirrored;
  int n_rows;

  static Range forward(const Rows& rows, int first, int last) {
    return {first, last, false, std::max(rows.run_begin[last - 1] - first, 0)};
  }

  static Range with_fewest_rows(const Rows& rows, int first, int last) {
    // Winners are the rows before the last run, losers those after the first one.
    return with_fewest_rows(first, last, std::max(rows.run_begin[last - 1] - first, 0),
                            std::max(last - rows.run_end[first], 0));
  }

  static Range with_fewest_rows(int first, int last, int n_winners, int n_losers) {
    return n_losers < n_winners ? Range{first, last, true, n_losers} : Range{first, last, false, n_winners};
  }

  int size() const { return last - first; }

  // The row of the query that is at i in this orientation.
  int row_at(int i) const { return mirrored ? last - 1 - i : first + i; }

  // The first column that row i meets.
  int first_column(const Rows& rows, int i) const {
    return mirrored ? last - std::max(rows.run_begin[last - 1 - i], first)
                    : std::min(rows.run_end[first + i], last) - first;
  }
};

// Arrays for the direct sums over ranges of up to so many rows. `sum_r` and `sum_t` are zero between sums.
template <class Real>
struct Columns {
  double *x, *fraction, *exponent;  // scores; their exponentials as fraction * 2^exponent
  double *total_r, *total_t;        // sums of the rows of the range
  Real *e, *weighted_e;             // exponentials, and times the weights of the columns
  Real *weight, *value;             // of the columns
  Real *row_weight, *row_value;     // of the rows
  Real *sum_r, *sum_t;              // what the columns have summed since the last flush
  Real *score, *score_rest;         // scores in two parts, for the loss
  Real *discount, *top, *place;     // see core/exchange.h

  Columns() = default;
  explicit Columns(int longest) { reserve(longest); }

  void reserve(int longest) {
    if (longest <= longest_) return;
    longest_ = longest;
    const std::size_t stride = (static_cast<std::size_t>(longest) + 3 * kPadding) / kPadding * kPadding;
    double* doubles = doubles_.reserve(5 * stride);
    for (double** array : {&x, &fraction, &exponent, &total_r, &total_t}) {
      *array = doubles;
      doubles += stride;
    }
    Real* reals = reals_.reserve(13 * stride);
    for (Real** array : {&e, &weighted_e, &weight, &value, &row_weight, &row_value, &sum_r, &sum_t, &score, &score_rest,
                         &discount, &top, &place}) {
      *array = reals;
      reals += stride;
    }
    std::fill_n(sum_r, stride, Real(0));
    std::fill_n(sum_t, stride, Real(0));
  }

 private:
  int longest_ = -1;
  Buffer<double> doubles_;
  Buffer<Real> reals_;
};

// The extremes of some numbers. NaN and infinity are found by `finite`.
struct Limits {
  double low, high;
  bool finite;
};

inline Limits limits_of(const double* x, int n) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::int64_t strange = 0;
#pragma omp simd reduction(min : low) reduction(max : high) reduction(+ : strange)
  for (int k = 0; k < n; ++k) {
    low = x[k] < low ? x[k] : low;
    high = x[k] > high ? x[k] : high;
    strange += !(std::fabs(x[k]) <= std::numeric_limits<double>::max());
  }
  return {low, high, strange == 0};
}

inline bool is_constant(int n, const double* x) {
  const Limits limits = limits_of(x, n);
  return limits.low == limits.high;
}

// Read the scores of a range in its orientation.
template <class Real>
Limits load_scores(const double* x, const Range& range, Columns<Real>& columns) {
  const int n = range.size();
  if (range.mirrored) {
    for (int i = 0; i < n; ++i) columns.x[i] = x[range.last - 1 - i];
  } else {
    std::memcpy(columns.x, x + range.first, sizeof(double) * static_cast<std::size_t>(n));
  }
  return limits_of(columns.x, n);
}

// e = exp((x - middle) scale) for powers of 2 of at most 64 in magnitude.
template <class Real>
void exponentiate(int n, double middle, double scale, Columns<Real>& columns) {
  using V = Vector<Real>;
  using D = Doubles<Real>;
  constexpr double kWhole = 1.5 * (std::int64_t{1} << 52);  // a number plus this is whole in the lowest bits
  constexpr int kMantissa = sizeof(Real) == 4 ? 23 : 52, kBias = sizeof(Real) == 4 ? 127 : 1023;
  const double to_power = scale * kLog2E;
  for (int i = 0; i < n; i += kLanes<Real>) {
    const D power = (load<D>(columns.x + i) - middle) * to_power;
    const D whole = (power + kWhole) - kWhole;
    const V fraction = __builtin_convertvector(power - whole, V);
    const Integers<Real> exponent = __builtin_convertvector(__builtin_convertvector(whole, V), Integers<Real>);
    const Integers<Real> bits = (exponent + kBias) << kMantissa;
    store(columns.e + i, exp2_of_fraction<Real>(fraction) * load<V>(&bits));
  }
}

// Columns beyond the last have e = 0, so that they add nothing to any sum.
template <class Real>
void pad(Real* array, int n, Real value) {
  for (int k = 0; k < kPadding; ++k) array[n + k] = value;
}

// Weights and values in the orientation of the range.
template <class Real>
void fill_weights(const Range& range, const Rows& rows, Columns<Real>& columns) {
  const int n = range.size();
  const double centre = rows.has_values() ? rows.value[(range.first + range.last) / 2] : 0.0;
  const double sign = range.mirrored ? -1.0 : 1.0;
  const double* own = range.mirrored ? rows.loser_weight : rows.winner_weight;
  const double* other = range.mirrored ? rows.winner_weight : rows.loser_weight;
  for (int i = 0; i < n; ++i) {
    const int p = range.row_at(i);
    columns.weight[i] = other == nullptr ? Real(1) : static_cast<Real>(other[p]);
    columns.row_weight[i] = own == nullptr ? Real(1) : static_cast<Real>(own[p]);
    // Only differences of values matter: near 1e6 they would cost all digits of a float.
    columns.value[i] = rows.has_values() ? static_cast<Real>(sign * (rows.value[p] - centre)) : Real(0);
    columns.row_value[i] = rows.has_values() ? columns.value[i] : Real(1);
  }
  pad(columns.weight, n, Real(0));
  pad(columns.value, n, Real(0));
}

// The score of the smallest magnitude: subtracting it costs no score a digit.
inline double nearest_zero(const double* x, int n) {
  double nearest = x[0];
  for (int k = 1; k < n; ++k) nearest = std::fabs(x[k]) < std::fabs(nearest) ? x[k] : nearest;
  return nearest;
}

}  // namespace pairloss
