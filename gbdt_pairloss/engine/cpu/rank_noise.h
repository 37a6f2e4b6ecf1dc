// The noised scores of queries (core/rank_noise.h), in loops that the compiler vectorises.
#pragma once

#include <cstdint>

namespace pairloss {

// The noise of the ranks: a T, and the seed of the draws.
struct RankNoise {
  double scale;  // 0: none
  std::uint64_t seed;
};

// The sum of the hash terms of n rows.
template <class Index>
std::uint64_t hash_terms(std::int64_t n, const double* x, const Index* row);

// z = the noised scores of n rows of a query, whose hash is given.
template <class Index>
void add_rank_noise(std::int64_t n, const double* x, const Index* row, double scale, std::uint64_t hash, double* z);

// z = the noised scores of a query of n rows.
template <class Index>
void add_rank_noise(std::int64_t n, const double* x, const Index* row, const RankNoise& noise, double* z);

}  // namespace pairloss
