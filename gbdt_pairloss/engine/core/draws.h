// Losers drawn at random: a function of the seed, the bits of all scores, and the row. There is no state.
//
// The numbers are those of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
// 2014). A file that draws has to be compiled without contraction of products and sums: a draw is the same on every
// processor, and the same as in listed_pairs.py.
#pragma once

#include "portable.h"

namespace pairloss {

// The increments of SplitMix64's counter, and of a second one.
constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u, kSilver = 0xD1B54A32D192ED03u;

// The finaliser of SplitMix64: every bit of the result depends on every bit of the argument.
PAIRLOSS_CORE std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// What a row adds to the hash of its scores; -0.0 counts as 0.0.
PAIRLOSS_CORE std::uint64_t hash_term(double score, std::int64_t row) {
  const double value = score + 0.0;
  std::uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return mixed(bits + static_cast<std::uint64_t>(row) * kGolden);
}

// The hash of scores, from the sum of their rows' terms.
PAIRLOSS_CORE std::uint64_t hash_of_sum(std::uint64_t sum_of_terms, std::uint64_t seed) {
  return mixed(mixed(seed + kSilver) + sum_of_terms);
}

// A number that depends on the seed and on every bit of the scores, whose rows are numbered from 0.
PAIRLOSS_CORE std::uint64_t hash_of(std::int64_t n, const double* scores, std::uint64_t seed) {
  std::uint64_t sum_of_terms = 0;
  for (std::int64_t row = 0; row < n; ++row) sum_of_terms += hash_term(scores[row], row);
  return hash_of_sum(sum_of_terms, seed);
}

// The losers that a winner can get: positions from `begin` to `end`. `weight[p]` is the weight of position p, and
// `total[p]` that of all positions before p.
struct DrawRange {
  std::int64_t begin, end;
  const double* weight;
  const double* total;
};

// Draw number `which` of the n of a winner, from the part number `which` of n equal parts of the range's weight.
PAIRLOSS_CORE std::int64_t drawn_loser(const DrawRange& range, std::uint64_t hash, std::int64_t winner_row,
                                       std::int64_t which, std::int64_t n) {
  const std::uint64_t of_winner = mixed(hash + static_cast<std::uint64_t>(winner_row) * kGolden);
  const std::uint64_t bits = mixed(of_winner + static_cast<std::uint64_t>(which) * kSilver);
  const double uniform = static_cast<double>(bits >> 11) * 0x1p-53;
  const double base = range.total[range.begin];
  const double share = (static_cast<double>(which) + uniform) / static_cast<double>(n);
  const double target = base + (range.total[range.end] - base) * share;
  // The last position with no more than the target before it. No branch depends on the comparison, which no processor
  // could predict.
  std::int64_t low = range.begin;
  for (std::int64_t size = range.end - range.begin; size > 1;) {
    const std::int64_t half = size / 2;
    low += range.total[low + half] <= target ? half : 0;
    size -= half;
  }
  // Rounding may lead to a position of weight 0 at the end.
  while (low > range.begin && range.weight[low] == 0.0) --low;
  return low;
}

}  // namespace pairloss
