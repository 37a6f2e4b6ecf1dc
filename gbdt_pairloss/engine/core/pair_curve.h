// The logistic loss of one pair, from exponentials of its scores.
//
// With e = exp(s / T) a pair of winner i and loser j has, for d = (s_i - s_j) / T,
//
//     r = sigma(-d) = e_j / (e_i + e_j)          how wrongly the pair is ordered: minus the first derivative of the
//     loss t = sigma(d) sigma(-d) = r e_i / (e_i + e_j)          the second derivative, without cancellation for any d
//
// No exponential is left in a loop over pairs, only a reciprocal. If e is exp(-s / T) the two rows change their roles
// and the formulas stay as they are. X is a number or a vector of numbers.
#pragma once

#include "portable.h"

namespace pairloss {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kLog2E = 1.4426950408889634;

// The spread of scores, in temperatures, up to which e and 1 / e and sums of two stay within float's range.
constexpr double kWidestSpread = 80.0;

// The same for sums with phi or weights, which multiply 1 / (e_i + e_j)^2: half as far, they may span 1e17 each way.
constexpr double kWidestWeightedSpread = 40.0;

template <class X>
PAIRLOSS_CORE X smaller(X a, X b) {
  return a < b ? a : b;
}

template <class X>
PAIRLOSS_CORE X larger(X a, X b) {
  return a > b ? a : b;
}

template <class X>
PAIRLOSS_CORE X magnitude(X a) {
  return larger(a, -a);
}

PAIRLOSS_CORE float magnitude(float a) { return fabsf(a); }
PAIRLOSS_CORE double magnitude(double a) { return fabs(a); }

// 1 / x. Processors have faster ways for some types (cpu/simd.h, cuda/kernels/arithmetic.cuh).
template <class X>
struct Reciprocal {
  static PAIRLOSS_CORE X of(X x) { return 1 / x; }
};

template <class X>
struct PairCurve {
  X r, t;
};

// r and t of a winner with exponential `own` and a loser with exponential `other`; `phi` multiplies both.
template <class X>
PAIRLOSS_CORE PairCurve<X> pair_curve(X own, X other, X phi) {
  const X q = Reciprocal<X>::of(other + own);
  const X r = other * q * phi;
  return {r, r * (own * q)};
}

template <class X>
PAIRLOSS_CORE PairCurve<X> pair_curve(X own, X other) {
  const X q = Reciprocal<X>::of(other + own);
  const X r = other * q;
  return {r, r * (own * q)};
}

// r and t for a difference d of any size.
PAIRLOSS_CORE PairCurve<double> pair_curve_of_difference(double d) {
  const double small = exp(-fabs(d));
  const double q = 1 / (1 + small);
  return {(d > 0 ? small : 1.0) * q, small * q * q};
}

// The loss softplus(-d) = log(1 + exp(-d)) for a difference d of any size.
PAIRLOSS_CORE double softplus_of_difference(double d) { return (d < 0 ? -d : 0.0) + log1p(exp(-fabs(d))); }

// How many terms the series of `softplus` has beyond the first, for errors below those of Real.
template <class Real>
constexpr int kSoftplusTerms = sizeof(Real) == 4 ? 8 : 17;

// softplus(-d) = max(-d, 0) + log1p(m) with m = exp(-|d|), the ratio of the smaller exponential to the larger one, and
// `above` = -d. log1p(m) = 2 atanh(w) with w = m / (2 + m) <= 1 / 3, a series in w^2 that loses nothing for small m.
template <class Real, class X>
PAIRLOSS_CORE X softplus(X above, X own, X other) {
  const X small = smaller(own, other), large = larger(own, other);
  const X w = small * Reciprocal<X>::of(large * 2 + small);
  const X square = w * w;
  X series = X{} + Real(1.0 / (2 * kSoftplusTerms<Real> + 1));
  for (int k = kSoftplusTerms<Real> - 1; k >= 0; --k) series = series * square + Real(1) / Real(2 * k + 1);
  return larger(above, X{}) + w * 2 * series;
}

// 2^f = exp(f ln 2) for |f| <= 1 / 2, by its power series.
template <class Real, class X>
PAIRLOSS_CORE X exp2_of_fraction(X f) {
  constexpr int kLast = sizeof(Real) == 4 ? 7 : 13;
  constexpr double kInverseFactorial[] = {
      1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
      1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
  const X z = f * Real(kLn2);
  X series = z * 0 + Real(kInverseFactorial[kLast]);
  for (int k = kLast - 1; k >= 0; --k) series = series * z + Real(kInverseFactorial[k]);
  return series;
}

}  // namespace pairloss
