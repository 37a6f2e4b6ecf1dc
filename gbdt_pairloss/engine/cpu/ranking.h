// The ranks of a query's rows and their discounts, on the CPU: short queries are ranked by counting, in vectors.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

#include "../core/ranking.h"

namespace pairloss {

// Rows are ranked by counting up to this many: no branch depends on a comparison.
constexpr int kCounted = 512;

// Entries that the key arrays of `discounts` have beyond n.
constexpr int kRankPadding = 32;

// The vectors are explicit. Of a plain loop g++ 12 makes masks where there is AVX-512: 1.5 times as long (n = 300).
#ifdef __AVX__
constexpr int kCountLanes = 4;
#else
constexpr int kCountLanes = 2;
#endif
typedef double CountScores __attribute__((vector_size(kCountLanes * sizeof(double))));
typedef std::int64_t CountMask __attribute__((vector_size(kCountLanes * sizeof(double))));

// Count how many scores are above each; returns whether these are the ranks, that is, no two scores are equal. Both
// `padded`, which becomes a copy of the scores, and `above` have kRankPadding entries more than n.
//
// A lane holds a row, and all rows of a step are compared with one score at a time: there are no sums across lanes.
inline bool count_above(int n, const double* x, double* padded, double* above) {
  constexpr int kVectors = 4, kRows = kVectors * kCountLanes;
  static_assert(kRows <= kRankPadding, "whole steps end within the padding");
  for (int k = 0; k < n; ++k) padded[k] = x[k];
  for (int k = n; k < n + kRows; ++k) padded[k] = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < n; i += kRows) {
    CountScores own[kVectors];
    CountMask counted[kVectors] = {};  // negative: a comparison that holds is -1
    std::memcpy(own, padded + i, sizeof own);
    for (int k = 0; k < n; ++k) {
      const CountScores other = padded[k] - CountScores{};
      for (int v = 0; v < kVectors; ++v) counted[v] += other > own[v];
    }
    for (int v = 0; v < kVectors; ++v) {
      const CountScores counts = __builtin_convertvector(-counted[v], CountScores);
      std::memcpy(above + i + v * kCountLanes, &counts, sizeof counts);
    }
  }
  double total = 0.0;
  for (int i = 0; i < n; ++i) total += above[i];
  return total == 0.5 * n * (n - 1.0);
}

// Discount 1 / log2(rank + 2) of each row, ranks from 0, and top = 1 where the rank is below `truncation`, else 0.
//
// `few` holds the discounts of the first `n_few` ranks. The key arrays have kRankPadding entries more than n. Returns
// whether `order` is the ranking: it is where rows were sorted, not counted.
template <class Index>
bool discounts(int n, const double* x, const Index* row, std::int64_t truncation, const double* few, int n_few,
               std::int32_t* order, std::int32_t* spare_order, double* key, double* spare_key, double* discount,
               double* top) {
  if (n <= kCounted && n <= n_few && count_above(n, x, key, spare_key)) {
    const double* const rank = spare_key;
    const double end = static_cast<double>(truncation);
    // Vectors again: `rank < truncation` must not become a branch, which no processor could predict.
#pragma omp simd
    for (int i = 0; i < n; ++i) {
      discount[i] = few[static_cast<int>(rank[i])];
      top[i] = rank[i] < end ? 1.0 : 0.0;
    }
    return false;
  }
  rank_rows(n, x, row, order, spare_order, key, spare_key);
  for (int rank = 0; rank < n; ++rank) {
    discount[order[rank]] = discount_of(rank, few, n_few);
    top[order[rank]] = static_cast<double>(rank < truncation);
  }
  return true;
}

}  // namespace pairloss
