// Rank noise (core/rank_noise.h): the scores by which the rows of each query are ranked.
//
// This file is compiled without contraction (NOT_CONTRACTED in sources.py).

#include "../../core/rank_noise.h"
#include "arithmetic.cuh"

// z, the noised score of each row. The flag TIED of each query, which was about x, becomes about z. ``scale`` is a T.
// A warp has a query: the ranking is far slower, in which every thread reads the whole query.
extern "C" __global__ void add_rank_noise(
    int n_queries, const int* query_begin, const int* rows, const double* x, double scale, unsigned long long seed,
    double* z, int* flags
) {
    int q = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (q >= n_queries) return;
    int begin = query_begin[q] + threadIdx.x % WARP, end = query_begin[q + 1];
    unsigned long long sum = 0;  // wraps around: the order of the terms makes no difference
    for (int p = begin; p < end; p += WARP) sum += pairloss::hash_term(x[p], rows[p]);
    for (int step = WARP / 2; step > 0; step /= 2) sum += __shfl_xor_sync(WHOLE_WARP, sum, step);
    unsigned long long hash = pairloss::hash_of_sum(sum, seed);
    double low = LARGEST, high = -LARGEST;
    for (int p = begin; p < end; p += WARP) {
        double noised = pairloss::noised_score(x[p], scale, hash, rows[p]);
        z[p] = noised;
        low = fmin(low, noised);
        high = fmax(high, noised);
    }
    find_extremes(low, high);
    if (threadIdx.x % WARP == 0) flags[q] = (flags[q] & ~TIED) | (low == high ? TIED : 0);
}
