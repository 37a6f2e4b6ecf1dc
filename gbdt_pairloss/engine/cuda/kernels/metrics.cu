// The counts that metrics are computed from: for each row, the rows of its query with larger and with equal scores, and
// the rows with smaller labels and smaller scores.

#include "arithmetic.cuh"

// ``discounted`` is the gain of a row times its discount. With ``by_order`` 0 the discount is the expectation over all
// orders of equal scores. Otherwise equal scores are ranked in the caller's order. ``summed`` are the sums of the first
// 0, 1, 2, ... discounts. ``right`` is the number of rows with a smaller label and a smaller score. A row with a
// smaller label and an equal score counts ``tied``.
extern "C" __global__ void __launch_bounds__(TILE) count_rows(
    int n, const int* range, const int* range_query, const int* query_begin, const int* rows, const int* run_end,
    const double* x, const double* gain, int with_gain, const double* summed, int by_order, double tied,
    double* discounted, double* right
) {
    __shared__ double score[TILE];
    __shared__ int row[TILE];
    int p = blockIdx.x * TILE + threadIdx.x;
    bool inside = p < n;
    int own = inside ? p : n - 1, first = blockIdx.x * TILE, last = min((int)(blockIdx.x + 1) * TILE, n) - 1;
    int query = range_query[range[own]];
    int begin = query_begin[query], end = query_begin[query + 1], beaten = run_end[own];
    double own_score = x[own];
    int own_row = rows[own], above = 0, equal = 0, below_right = 0, below_tied = 0;
    int stop = query_begin[range_query[range[last]] + 1];
    for (int start = query_begin[range_query[range[first]]]; start < stop; start += TILE) {
        __syncthreads();
        int column = start + threadIdx.x;
        if (column < stop) {
            score[threadIdx.x] = x[column];
            row[threadIdx.x] = rows[column];
        }
        __syncthreads();
        int to = min(min(end, start + TILE), stop) - start;
        for (int j = max(begin - start, 0); j < to; ++j) {
            bool is_tied = score[j] == own_score;
            above += by_order && is_tied ? row[j] < own_row : score[j] > own_score;
            equal += is_tied;
            if (start + j < beaten) continue;
            below_right += score[j] < own_score;
            below_tied += is_tied;
        }
    }
    if (!inside) return;
    if (by_order) equal = 1;
    if (with_gain) discounted[p] = gain[p] * ((summed[above + equal] - summed[above]) / equal);
    right[p] = below_right + tied * below_tied;
}

// The sum over the pieces of each query.
extern "C" __global__ void sum_queries(int n_queries, const int* first_piece, const double* piece_sum, double* sum) {
    int q = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (q >= n_queries) return;
    double total = 0;
    for (int piece = first_piece[q] + threadIdx.x % WARP; piece < first_piece[q + 1]; piece += WARP)
        total += piece_sum[piece];
    total = sum_over_lanes(total);
    if (threadIdx.x % WARP == 0) sum[q] = total;
}
