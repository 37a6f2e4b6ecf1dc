// Sums over explicit pairs. Each row has LANES lanes, which share the pairs that it wins and the pairs that it loses.

#include "arithmetic.cuh"

#define LANES 8

// The sums of a row as winner or as loser of its pairs.
struct Listed {
    Total first, second, counted;
};

template <bool IS_WIDE>
__device__ inline void add_pair(
    int winner, int loser, double weight, const Real* mantissa, const int* power, const Real* place,
    const Real* place_rest, Listed& sums
) {
    if (LOSS) {
        Real above = (place[loser] - place[winner]) + (place_rest[loser] - place_rest[winner]);
        Real loss = softplus<IS_WIDE>(above, mantissa[winner], power[winner], mantissa[loser], power[loser]);
        sums.first.add((Real)(weight * loss));
        sums.second.add((Real)weight);
    } else {
        auto pair = curve<IS_WIDE>(mantissa[winner], power[winner], mantissa[loser], power[loser]);
        sums.first.add((Real)(weight * pair.r));
        sums.second.add((Real)(weight * pair.t));
        sums.counted.add(pair.r);
    }
}

// The pairs that position p wins have the numbers from won_begin[p] to won_begin[p + 1]. The numbers of the pairs that
// it loses are the entries of lost_pair from lost_begin[p] to lost_begin[p + 1].
extern "C" __global__ void __launch_bounds__(TILE) sum_listed_pairs(
    int n, const int* range, const int* range_query, const int* flags, const int* won_begin, const int* lost_begin,
    const int* lost_pair, const int* winner, const int* loser, int with_pair_weight, const double* pair_weight,
    int weighted, const double* winner_weight, const double* loser_weight, const Real* mantissa, const int* power,
    const Real* place, const Real* place_rest, Real* first, Real* second, Real* counted
) {
    int p = blockIdx.x * (TILE / LANES) + threadIdx.x / LANES, lane = threadIdx.x % LANES;
    Listed won, lost;
    if (p < n) {
        bool wide = flags[range_query[range[p]]] & WIDE;
        for (int k = won_begin[p] + lane; k < won_begin[p + 1]; k += LANES) {
            double weight = with_pair_weight ? pair_weight[k] : 1.0;
            if (weighted) weight *= winner_weight[p] * loser_weight[loser[k]];
            if (wide)
                add_pair<true>(p, loser[k], weight, mantissa, power, place, place_rest, won);
            else
                add_pair<false>(p, loser[k], weight, mantissa, power, place, place_rest, won);
        }
        for (int m = lost_begin[p] + lane; !LOSS && m < lost_begin[p + 1]; m += LANES) {
            int k = lost_pair[m];
            double weight = with_pair_weight ? pair_weight[k] : 1.0;
            if (weighted) weight *= winner_weight[winner[k]] * loser_weight[p];
            if (wide)
                add_pair<true>(winner[k], p, weight, mantissa, power, place, place_rest, lost);
            else
                add_pair<false>(winner[k], p, weight, mantissa, power, place, place_rest, lost);
        }
    }
    double a = sum_over_lanes((LOSS ? 1.0 : -1.0) * won.first.value() + lost.first.value(), LANES);
    double b = sum_over_lanes(won.second.value() + lost.second.value(), LANES);
    double c = sum_over_lanes(won.counted.value(), LANES);
    if (p < n && lane == 0) {
        first[p] = (Real)a;
        second[p] = (Real)b;
        counted[p] = (Real)c;
    }
}
