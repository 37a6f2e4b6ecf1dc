// Ranks by counting the rows of the same query that are ranked above a row.

#include "../../core/ranking.h"
#include "arithmetic.cuh"

// The rank of each row by descending score, from 0, and its discount. Equal scores are ranked in the
// order of the caller's rows.
extern "C" __global__ void __launch_bounds__(TILE) rank_rows(
    int n, const int* range, const int* range_begin, const int* range_end, const int* rows, const double* x, int* rank,
    double* discount
) {
    __shared__ double score[TILE];
    __shared__ int row[TILE];
    int p = blockIdx.x * TILE + threadIdx.x;
    bool inside = p < n;
    int own = range[inside ? p : n - 1];
    double own_score = x[inside ? p : n - 1];
    int own_row = rows[inside ? p : n - 1];
    int begin = range_begin[own], end = range_end[own], above = 0;
    int last = range_end[range[min((int)(blockIdx.x + 1) * TILE, n) - 1]];
    for (int start = range_begin[range[blockIdx.x * TILE]]; start < last; start += TILE) {
        __syncthreads();
        int column = start + threadIdx.x;
        if (column < last) {
            score[threadIdx.x] = x[column];
            row[threadIdx.x] = rows[column];
        }
        __syncthreads();
        int to = min(min(end, start + TILE) - start, last - start);
        for (int j = max(begin - start, 0); j < to; ++j)
            above += score[j] > own_score || (score[j] == own_score && row[j] < own_row);
    }
    if (!inside) return;
    rank[p] = above;
    discount[p] = pairloss::discount_of(above);
}
