// Vectors of numbers, as wide as the processor's level of instructions has them.
//
// These are the vector types of GCC and Clang, with the operators of numbers. Loops over pairs are written with them
// because the choice of how many rows share a vector of columns, and of what is masked, is the algorithm's.
#pragma once

#include <cstdint>
#include <cstring>

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

// A vector of half as many numbers.
template <class Real, int kBytes>
struct HalfOf {
  typedef Real Type __attribute__((vector_size(kBytes / 2)));
};

// The sum of the lanes, halving the vector: in a fixed order.
template <class Real, int kBytes = kVectorBytes, class V>
PAIRLOSS_INLINE Real sum_of_lanes(const V& v) {
  if constexpr (kBytes == 2 * sizeof(Real)) {
    return v[0] + v[1];
  } else {
    using Half = typename HalfOf<Real, kBytes>::Type;
    Half low, high;
    std::memcpy(&low, &v, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
    return sum_of_lanes<Real, kBytes / 2>(Half(low + high));
  }
}

}  // namespace pairloss
