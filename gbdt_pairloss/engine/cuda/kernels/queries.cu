// The steps before and after the pairs: read the scores into the order of the plan, measure those of each query,
// compute the factor of each query, and write the results in the caller's order. SCORE and OUT are the types of the
// caller's scores and results.
//
// A query is cut into pieces of about a thousand rows. A warp sums each piece, and a warp sums the pieces of each
// query.

#include "../../core/normalizer.h"
#include "arithmetic.cuh"

typedef SCORE Score;
typedef OUT Out;

#define LN_2_REST 2.3190468138462996e-17  // ln 2 - kLn2

// The entries of ``status``, which report errors to the host.
#define BAD_ROW 0      // the first row of the caller with a score that is not finite
#define SOME_BEYOND 1  // 1 if a query is BEYOND
#define NOT_FINITE 2   // 1 if a result is not finite

extern "C" __global__ void read_scores(
    int n_pieces, const int* piece_begin, const int* rows, const Score* scores, double* x, double* piece_low,
    double* piece_high, int* status
) {
    int piece = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (piece >= n_pieces) return;
    double low = LARGEST, high = -LARGEST;
    for (int p = piece_begin[piece] + threadIdx.x % WARP; p < piece_begin[piece + 1]; p += WARP) {
        double score = scores[rows[p]];
        if (!(fabs(score) <= LARGEST)) atomicMin(&status[BAD_ROW], rows[p]);
        x[p] = score;
        low = fmin(low, score);
        high = fmax(high, score);
    }
    find_extremes(low, high);
    if (threadIdx.x % WARP == 0) {
        piece_low[piece] = low;
        piece_high[piece] = high;
    }
}

// The centre of the scores of each query, and their extremes minus the centre in units of the temperature. ``narrow``
// and ``most`` are the widest spans for e^score and for these kernels.
extern "C" __global__ void measure_queries(
    int n_queries, const int* first_piece, const double* piece_low, const double* piece_high, double temperature,
    double narrow, double most, double* centre, double* low_of, double* high_of, int* flags, int* status
) {
    int q = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (q >= n_queries) return;
    double low = LARGEST, high = -LARGEST;
    for (int piece = first_piece[q] + threadIdx.x % WARP; piece < first_piece[q + 1]; piece += WARP) {
        low = fmin(low, piece_low[piece]);
        high = fmax(high, piece_high[piece]);
    }
    find_extremes(low, high);
    if (threadIdx.x % WARP != 0) return;
    if (low > high) low = high = 0;  // no rows
    double span = (high - low) / temperature;
    int known = (span <= narrow ? 0 : WIDE) | (low == high ? TIED : 0);
    // If scores are far apart, those near 0 have the most digits. Subtracting another centre would lose these digits.
    double middle = known & WIDE ? fmin(fmax(low, 0.0), high) : 0.5 * low + 0.5 * high;
    centre[q] = middle;
    low_of[q] = (low - middle) / temperature;
    high_of[q] = (high - middle) / temperature;
    if (!(span <= most)) {
        known |= BEYOND;
        atomicMax(&status[SOME_BEYOND], 1);
    }
    flags[q] = known;
}

// e^score = mantissa 2^power, and the score as a sum of two parts. Scores are relative to the centre of the query, in
// units of the temperature.
extern "C" __global__ void expand_rows(
    int n, const int* range, const int* range_query, const int* flags, const double* centre, double temperature,
    const double* x, int with_places, Real* mantissa, int* power, Real* place, Real* place_rest
) {
    int p = blockIdx.x * TILE + threadIdx.x;
    if (p >= n) return;
    int q = range_query[range[p]];
    double u = (x[p] - centre[q]) / temperature;
    if (flags[q] & BEYOND) u = 0;
    if (flags[q] & WIDE) {
        double whole = floor(u * pairloss::kLog2E);
        mantissa[p] = (Real)exp(fma(-whole, LN_2_REST, fma(-whole, pairloss::kLn2, u)));
        power[p] = (int)whole;
    } else {
        mantissa[p] = (Real)exp(u);
        power[p] = 0;
    }
    if (with_places) {
        place[p] = (Real)u;
        place_rest[p] = (Real)(u - (double)place[p]);
    }
}

extern "C" __global__ void sum_pieces(int n_pieces, const int* piece_begin, const Real* counted, double* piece_sum) {
    int piece = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (piece >= n_pieces) return;
    double total = 0;
    for (int p = piece_begin[piece] + threadIdx.x % WARP; p < piece_begin[piece + 1]; p += WARP) total += counted[p];
    total = sum_over_lanes(total);
    if (threadIdx.x % WARP == 0) piece_sum[piece] = total;
}

// The weight of each query times its normaliser (core/normalizer.h), and times 1 / ideal DCG for |delta NDCG|. ``piece_sum`` and
// ``node_sum`` are the parts of the sum of phi sigma(-d), or with ``counts_phi`` of phi. Without ``counts_phi`` the sum
// of phi is ``sum_of_phi``.
extern "C" __global__ void query_factors(
    int n_queries, const int* first_piece, const double* piece_sum, const int* first_node, int n_shares,
    const double* node_sum, const int* sizes, const double* sum_of_phi, const double* per_ideal,
    const double* query_weight, int normalize, int counts_phi, double temperature, double* factor
) {
    int q = blockIdx.x * (TILE / WARP) + threadIdx.x / WARP;
    if (q >= n_queries) return;
    double total = 0;
    if (normalize == pairloss::kLog || counts_phi) {
        int lane = threadIdx.x % WARP;
        for (int piece = first_piece[q] + lane; piece < first_piece[q + 1]; piece += WARP) total += piece_sum[piece];
        for (int i = first_node[q] * n_shares + lane; i < first_node[q + 1] * n_shares; i += WARP) total += node_sum[i];
        total = sum_over_lanes(total) * per_ideal[q];
    }
    if (threadIdx.x % WARP != 0) return;
    double phi_sum = counts_phi ? total : sum_of_phi[q];
    factor[q] = query_weight[q] * per_ideal[q] *
        pairloss::normalizer(normalize, sizes[q], total / temperature, phi_sum);
}

extern "C" __global__ void write_results(
    int n, const int* rows, const int* range, const int* range_query, const double* factor, double scale_first,
    double scale_second, const Real* first, const Real* second, Out* out_first, Out* out_second, int* status
) {
    int p = blockIdx.x * TILE + threadIdx.x;
    if (p >= n) return;
    double own = factor[range_query[range[p]]];
    Out a = (Out)((double)first[p] * own * scale_first);
    Out b = (Out)((double)second[p] * own * scale_second);
    const Out largest = sizeof(Out) == 4 ? (Out)3.4028234663852886e38 : (Out)LARGEST;
    if (!(fabs(a) <= largest) || !(fabs(b) <= largest)) atomicMax(&status[NOT_FINITE], 1);
    out_first[rows[p]] = a;
    out_second[rows[p]] = b;
}
