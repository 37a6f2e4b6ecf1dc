// Vectors of numbers, as wide as the processor's level of instructions has them.
//
// These are the vector types of GCC and Clang, with the operators of numbers. Loops over pairs are written with them
// because the choice of how many rows share a vector of columns, and of what is masked, is the algorithm's.
#pragma once

#ifdef __AVX__
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>

#include "../core/pair_curve.h"

#define PAIRLOSS_INLINE inline __attribute__((always_inline))

namespace pairloss {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// Arrays are padded by so many numbers, which is no less than any vector has.
constexpr int kPadding = 16;

template <class Real>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(Real));

template <class Real>
struct VectorType;
template <>
struct VectorType<float> {
  using Numbers = float __attribute__((vector_size(kVectorBytes)));
  using Integers = std::int32_t __attribute__((vector_size(kVectorBytes)));
  // As many numbers in double precision.
  using Doubles = double __attribute__((vector_size(2 * kVectorBytes)));
};
template <>
struct VectorType<double> {
  using Numbers = double __attribute__((vector_size(kVectorBytes)));
  using Integers = std::int64_t __attribute__((vector_size(kVectorBytes)));
  using Doubles = Numbers;
};

template <class Real>
using Vector = typename VectorType<Real>::Numbers;
template <class Real>
using Integers = typename VectorType<Real>::Integers;
template <class Real>
using Doubles = typename VectorType<Real>::Doubles;

template <class V, class T>
PAIRLOSS_INLINE V load(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V, class T>
PAIRLOSS_INLINE void store(T* to, const V& v) {
  std::memcpy(to, &v, sizeof v);
}

template <class Real>
PAIRLOSS_INLINE Vector<Real> splat(Real value) {
  return Vector<Real>{} + value;
}

// 0, 1, 2, ...
template <class Real>
PAIRLOSS_INLINE Integers<Real> lane_numbers() {
  Integers<Real> lanes;
  for (int k = 0; k < kLanes<Real>; ++k) lanes[k] = k;
  return lanes;
}

// A vector of half as many numbers: the sums of the lower and the upper half. By shuffles, because a vector whose
// address is taken would not stay in a register.
template <class V>
PAIRLOSS_INLINE auto halved(V v) {
  constexpr int n = sizeof(v) / sizeof(v[0]);
  if constexpr (n == 4) {
    return __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
  } else if constexpr (n == 8) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  } else {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  }
}

// The sum of the lanes, halving the vector: in a fixed order.
template <class V>
PAIRLOSS_INLINE auto sum_of_lanes(V v) {
  if constexpr (sizeof(v) == 2 * sizeof(v[0])) {
    return v[0] + v[1];
  } else {
    return sum_of_lanes(halved(v));
  }
}

// The sums of the lanes of four vectors, as one vector.
template <class V>
PAIRLOSS_INLINE auto sums_of_lanes(V a, V b, V c, V d) {
  constexpr int n = sizeof(a) / sizeof(a[0]);
  if constexpr (n > 4) {
    return sums_of_lanes(halved(a), halved(b), halved(c), halved(d));
  } else if constexpr (n == 4) {
    const V ab = __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
    const V cd = __builtin_shufflevector(c, d, 0, 2, 4, 6) + __builtin_shufflevector(c, d, 1, 3, 5, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
  } else {
    const V ab = __builtin_shufflevector(a, b, 0, 2) + __builtin_shufflevector(a, b, 1, 3);
    const V cd = __builtin_shufflevector(c, d, 0, 2) + __builtin_shufflevector(c, d, 1, 3);
    return __builtin_shufflevector(ab, cd, 0, 1, 2, 3);
  }
}

#if defined(__AVX512F__)
template <>
struct Reciprocal<Vector<float>> {
  static PAIRLOSS_INLINE Vector<float> of(Vector<float> x) {
    const Vector<float> guess = _mm512_maskz_rcp14_ps(0xFFFF, x);
    return guess * (2 - x * guess);
  }
};
#elif defined(__AVX__)
template <>
struct Reciprocal<Vector<float>> {
  static PAIRLOSS_INLINE Vector<float> of(Vector<float> x) {
    const Vector<float> guess = _mm256_rcp_ps(x);
    return guess * (2 - x * guess);
  }
};
#endif

}  // namespace pairloss
