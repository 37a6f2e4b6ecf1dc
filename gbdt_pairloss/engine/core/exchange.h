// phi = |delta NDCG|: by how much NDCG would change if two rows exchanged their places in the current ranking.
//
//     phi_ij = (gain_i - gain_j) |discount_i - discount_j| / ideal DCG
//
// With a truncation at k a pair counts if at least one of its rows is among the first k. LightGBM's lambdarank divides
// by 0.01 + |s_i - s_j| as well. The ideal DCG is left to the factor of the query.
#pragma once

#include "pair_curve.h"

namespace pairloss {

// What a row contributes. `top` is 1 if the row is among the first k, else 0; `place` is its score.
template <class X>
struct RankedRow {
  X gain, discount, top, place;
};

// phi from the differences of two rows, over all pairs.
template <class X>
PAIRLOSS_CORE X exchange(X gains, X discounts) {
  return gains * magnitude(discounts);
}

// phi over base + slope |difference of scores|.
template <class X, class S>
PAIRLOSS_CORE X over_distance(X phi, X places, S base, S slope) {
  return phi / (base + slope * magnitude(places));
}

// phi of a winner and a loser, truncated, over base + slope |difference of scores|.
template <class X, class S>
PAIRLOSS_CORE X exchange(const RankedRow<X>& winner, const RankedRow<X>& loser, S base, S slope) {
  const X phi = exchange(winner.gain - loser.gain, winner.discount - loser.discount) * larger(winner.top, loser.top);
  return over_distance(phi, winner.place - loser.place, base, slope);
}

}  // namespace pairloss
