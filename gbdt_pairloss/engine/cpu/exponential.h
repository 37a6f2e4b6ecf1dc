// e^d in loops that the compiler vectorises.
#pragma once

#include <cstdint>
#include <cstring>

#include "../core/pair_curve.h"

namespace pairloss {

// The largest magnitude of d: the power of two stays in float64's range.
constexpr double kLargestExponent = 700.0;

// Adding it to a number of small magnitude rounds it to a whole one, which is then in the lowest bits.
constexpr double kRounder = 0x1.8p52;

// e^d for |d| <= kLargestExponent. Whole numbers are made by bits: vectors without AVX-512 cannot convert to int64.
inline double exponential_of(double d) {
  const double power = d * kLog2E;
  const double rounded = power + kRounder;
  std::int64_t whole;
  std::memcpy(&whole, &rounded, sizeof whole);
  const double fraction = power - (rounded - kRounder);
  const std::uint64_t bits = (static_cast<std::uint64_t>(whole) + 1023) << 52;
  double power_of_two;
  std::memcpy(&power_of_two, &bits, sizeof power_of_two);
  return exp2_of_fraction<double>(fraction) * power_of_two;
}

}  // namespace pairloss
