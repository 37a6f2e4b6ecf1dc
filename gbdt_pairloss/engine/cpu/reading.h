// The caller's scores in, and the results out: gathered and scattered by the row numbers of the plan.
#pragma once

#include <cmath>
#include <limits>

#include "columns.h"
#include "plan.h"

namespace pairloss {

// Read the scores of n rows from position `at` on, backwards if `reversed`.
inline void gather(const Scores& scores, const RowNumbers& row, std::int64_t at, int n, bool reversed, double* x) {
  with_scores(scores, [&](const auto* from) {
    with_row_numbers(row, at, [&](const auto* number) {
      if (reversed) {
        for (int i = 0; i < n; ++i) x[i] = from[number[n - 1 - i]];
      } else {
        for (int i = 0; i < n; ++i) x[i] = from[number[i]];
      }
    });
  });
}

// What the sums of a query are multiplied by.
struct Factors {
  double first, second;
};

// Write the sums of n rows from position `at` on, times the factors, to the caller's rows. `scaled` is memory for 2 n
// numbers. Returns whether all results are finite.
template <class Real, class Sum>
bool scatter(const Sum* first, const Sum* second, const Factors& factors, const RowNumbers& row, std::int64_t at, int n,
             bool reversed, Real* scaled_first, Real* scaled_second, Real* out_first, Real* out_second) {
  const double factor_first = factors.first, factor_second = factors.second;
  constexpr Real largest = std::numeric_limits<Real>::max();
  std::int32_t beyond = 0;
#pragma omp simd reduction(+ : beyond)
  for (int i = 0; i < n; ++i) {
    const Real a = static_cast<Real>(first[i] * factor_first), b = static_cast<Real>(second[i] * factor_second);
    scaled_first[i] = a;
    scaled_second[i] = b;
    const int a_is_beyond = !(std::fabs(a) <= largest), b_is_beyond = !(std::fabs(b) <= largest);
    beyond += a_is_beyond | b_is_beyond;
  }
  with_row_numbers(row, at, [&](const auto* number) {
    if (reversed) {
      for (int i = 0; i < n; ++i) {
        out_first[number[n - 1 - i]] = scaled_first[i];
        out_second[number[n - 1 - i]] = scaled_second[i];
      }
    } else {
      for (int i = 0; i < n; ++i) {
        out_first[number[i]] = scaled_first[i];
        out_second[number[i]] = scaled_second[i];
      }
    }
  });
  return beyond == 0;
}

}  // namespace pairloss
