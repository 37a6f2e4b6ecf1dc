// This file is compiled without contraction: the draws are the same on every processor.
#include "rank_noise.h"

#include "../core/rank_noise.h"

namespace pairloss {

template <class Index>
std::uint64_t hash_terms(std::int64_t n, const double* x, const Index* row) {
  std::uint64_t total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t p = 0; p < n; ++p) total += hash_term(x[p], row[p]);
  return total;
}

template <class Index>
void add_rank_noise(std::int64_t n, const double* x, const Index* row, double scale, std::uint64_t hash, double* z) {
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) z[p] = noised_score(x[p], scale, hash, row[p]);
}

template <class Index>
void add_rank_noise(std::int64_t n, const double* x, const Index* row, const RankNoise& noise, double* z) {
  add_rank_noise(n, x, row, noise.scale, hash_of_sum(hash_terms(n, x, row), noise.seed), z);
}

template std::uint64_t hash_terms(std::int64_t, const double*, const std::int32_t*);
template std::uint64_t hash_terms(std::int64_t, const double*, const std::int64_t*);
template void add_rank_noise(std::int64_t, const double*, const std::int32_t*, double, std::uint64_t, double*);
template void add_rank_noise(std::int64_t, const double*, const std::int64_t*, double, std::uint64_t, double*);
template void add_rank_noise(std::int64_t, const double*, const std::int32_t*, const RankNoise&, double*);
template void add_rank_noise(std::int64_t, const double*, const std::int64_t*, const RankNoise&, double*);

}  // namespace pairloss
