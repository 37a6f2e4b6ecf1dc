// Powers of two as floating-point numbers, made of their bits.
#pragma once

#include "portable.h"

namespace pairloss {

template <class Real>
PAIRLOSS_CORE Real power_of_two(std::int64_t n);

// 2^n for a whole number n of at most 126 in magnitude.
template <>
PAIRLOSS_CORE float power_of_two<float>(std::int64_t n) {
  const std::int32_t bits = (static_cast<std::int32_t>(n) + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

// 2^n for a whole number n of at most 1022 in magnitude.
template <>
PAIRLOSS_CORE double power_of_two<double>(std::int64_t n) {
  const std::int64_t bits = (n + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

}  // namespace pairloss
