// The derivatives of the logistic loss for an array of differences of scores.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "../core/pair_curve.h"
#include "arrays.h"
#include "module.h"

namespace nb = nanobind;

namespace pairloss {
namespace {

// Differences beyond this have derivatives of 0, or -1, in float64, and the power of two stays in its range.
constexpr double kMostDifference = 700.0;

// Adding it to a number of small magnitude rounds it to a whole one, which is then in the lowest bits.
constexpr double kRounder = 0x1.8p52;

// e^d for |d| <= kMostDifference. Whole numbers are made by bits: vectors without AVX-512 cannot convert to int64.
inline double exponential_of(double d) {
  const double power = d * kLog2E;
  const double rounded = power + kRounder;
  std::int64_t whole;
  std::memcpy(&whole, &rounded, sizeof whole);
  const double fraction = power - (rounded - kRounder);
  const std::int64_t bits = static_cast<std::int64_t>((static_cast<std::uint64_t>(whole) + 1023) << 52);
  double power_of_two;
  std::memcpy(&power_of_two, &bits, sizeof power_of_two);
  return exp2_of_fraction<double>(fraction) * power_of_two;
}

// first = -sigma(-d) and second = sigma(d) sigma(-d), of all d.
void logistic_slopes(In<double> differences, Out<double> first, Out<double> second) {
  const double* d = differences.data();
  double *slope = first.data(), *curve = second.data();
  const std::size_t n = differences.size();
#pragma omp simd
  for (std::size_t k = 0; k < n; ++k) {
    const double e = exponential_of(smaller(larger(d[k], -kMostDifference), kMostDifference));
    const double wrong = 1.0 / (e + 1.0);
    slope[k] = -wrong;
    curve[k] = wrong * (e * wrong);
  }
}

}  // namespace

void bind_pair_slopes(nb::module_& module) {
  module.def("logistic_slopes", &logistic_slopes, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(),
             nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace pairloss
