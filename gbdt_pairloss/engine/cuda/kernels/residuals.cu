// The squared differences of residuals over all pairs of rows of a query, in O(n).
//
// With e = s / T - t, winner weights w and loser weights v, a row i sums over the other rows j of its query
//
//     loss       w_i sum_j v_j (e_i - e_j)^2                    = w_i (V (e_i - m)^2 + S)
//     gradient   2 sum_j (w_i v_j + v_i w_j) (e_i - e_j)        = 2 (w_i (V_i e_i - M_i) + v_i (W_i e_i - N_i))
//     Hessian    2 sum_j (w_i v_j + v_i w_j)                    = 2 (w_i V_i + v_i W_i)
//
// V and W are the sums of v and w over the query, M and N those of v e and w e; with an index i, over the rows except i.
// m = M / V is a mean, and S the sum of v (e - m)^2. A piece of a query sums v (e - its own mean)^2; with the distances
// of the means, S follows from these sums (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
// computing sample variances", 1979).
//
// Residuals are relative to that of the anchor, the row with the largest v. M_i and N_i may then be differences,
// M - v_i e_i and N - w_i e_i: a pair of i and the anchor weighs as much as the digits that they lose. Of V_i and W_i
// this is not true; the plan sums them.

#include "arithmetic.cuh"

// The sums of a piece, or of a query: V, M, N and S.
struct Moments {
    double v, m, n, s;
};

__device__ inline Moments load(const double* sums, int i) {
    return {sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]};
}

__device__ inline void store(double* sums, int i, const Moments& own) {
    sums[4 * i] = own.v;
    sums[4 * i + 1] = own.m;
    sums[4 * i + 2] = own.n;
    sums[4 * i + 3] = own.s;
}

__device__ inline double mean_of(const Moments& own) { return own.v > 0 ? own.m / own.v : 0.0; }

// The weights of a row, and their sums over the other rows of its query, which has n rows.
struct Weights {
    double w, v, others_w, others_v;

    __device__ bool counts() const { return (w > 0 && others_v > 0) || (v > 0 && others_w > 0); }
};

// The arrays of weights, by position; all weights are 1 without ``weighted``.
struct Rows {
    int weighted;
    const double *winner_weight, *loser_weight, *other_winners, *other_losers;

    __device__ Weights at(int p, int n) const {
        if (!weighted) return {1.0, 1.0, n - 1.0, n - 1.0};
        return {winner_weight[p], loser_weight[p], other_winners[p], other_losers[p]};
    }
};

// The residuals of the rows, and the moments of each piece. A row that is in no pair with a weight gets 0: its residual
// may be infinite, and 0 times infinity is not 0.
extern "C" __global__ void read_residuals(
    int n_pieces, const int* piece_begin, const int* range, const int* range_query, const int* sizes,
    const int* anchor, const double* x, const double* target, double temperature, int weighted,
    const double* winner_weight, const double* loser_weight, const double* other_winners, const double* other_losers,
    double* residual, double* piece_sums
) {
    int piece = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (piece >= n_pieces) return;
    const Rows rows = {weighted, winner_weight, loser_weight, other_winners, other_losers};
    int begin = piece_begin[piece], end = piece_begin[piece + 1], lane = threadIdx.x % WARP;
    int q = range_query[range[begin]];
    double score = x[anchor[q]], label = target[anchor[q]];
    Moments own = {0, 0, 0, 0};
    for (int p = begin + lane; p < end; p += WARP) {
        Weights weights = rows.at(p, sizes[q]);
        double e = weights.counts() ? (x[p] - score) / temperature - (target[p] - label) : 0.0;
        residual[p] = e;
        own.v += weights.v;
        own.m += weights.v * e;
        own.n += weights.w * e;
    }
    own.v = sum_over_lanes(own.v);
    own.m = sum_over_lanes(own.m);
    own.n = sum_over_lanes(own.n);
    double mean = mean_of(own);
    for (int p = begin + lane; p < end; p += WARP) {
        double distance = residual[p] - mean;  // of a residual that this lane has written
        own.s += rows.at(p, sizes[q]).v * distance * distance;
    }
    own.s = sum_over_lanes(own.s);
    if (lane == 0) store(piece_sums, piece, own);
}

// The moments of each query from those of its pieces.
extern "C" __global__ void sum_moments(
    int n_queries, const int* first_piece, const double* piece_sums, double* query_sums
) {
    int q = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (q >= n_queries) return;
    int lane = threadIdx.x % WARP;
    Moments own = {0, 0, 0, 0};
    for (int piece = first_piece[q] + lane; piece < first_piece[q + 1]; piece += WARP) {
        Moments part = load(piece_sums, piece);
        own.v += part.v;
        own.m += part.m;
        own.n += part.n;
    }
    own.v = sum_over_lanes(own.v);
    own.m = sum_over_lanes(own.m);
    own.n = sum_over_lanes(own.n);
    double mean = mean_of(own);
    for (int piece = first_piece[q] + lane; piece < first_piece[q + 1]; piece += WARP) {
        Moments part = load(piece_sums, piece);
        double distance = mean_of(part) - mean;
        own.s += part.s + part.v * distance * distance;
    }
    own.s = sum_over_lanes(own.s);
    if (lane == 0) store(query_sums, q, own);
}

// The sums of each row: the loss and the weights of the pairs that it wins, or both derivatives.
extern "C" __global__ void sum_residuals(
    int n, const int* range, const int* range_query, const int* sizes, const double* residual,
    const double* query_sums, int weighted, const double* winner_weight, const double* loser_weight,
    const double* other_winners, const double* other_losers, int losses, double* first, double* second
) {
    int p = blockIdx.x * TILE + threadIdx.x;
    if (p >= n) return;
    const Rows rows = {weighted, winner_weight, loser_weight, other_winners, other_losers};
    int q = range_query[range[p]];
    const Moments own = load(query_sums, q);
    Weights weights = rows.at(p, sizes[q]);
    double e = residual[p], w = weights.w, v = weights.v;
    if (losses) {
        double distance = e - mean_of(own);
        first[p] = w > 0 && weights.others_v > 0 ? w * (own.v * distance * distance + own.s) : 0.0;
        second[p] = w * weights.others_v;
    } else {
        double over_losers = weights.others_v * e - (own.m - v * e);
        double over_winners = weights.others_w * e - (own.n - w * e);
        first[p] = 2 * (w * over_losers + v * over_winners);
        second[p] = 2 * (w * weights.others_v + v * weights.others_w);
    }
}
