// Sums over pairs one by one. Every thread has a row, and sums over the rows that it beats and the rows that beat it.
//
// A block has TILE consecutive rows of the plan, which may belong to several queries. It loads TILE columns at a time
// into shared memory. The columns of a row are the part of its range (its query, or a leaf of its query's tree) before
// and after its own run of equal labels. PHI is the kind of phi. WEIGHTED is 1 if rows have weights. LOSS is 1 if the
// losses of the pairs that a row wins, and their weights, are summed instead of both derivatives.

#include "../../core/exchange.h"
#include "arithmetic.cuh"

#define UNIFORM 0     // 1
#define DIFFERENCE 1  // the difference of two values
#define TABLE 2       // the entry of a table for two labels
#define DELTA_NDCG 3  // |delta NDCG| times the ideal DCG, which the factor of the query divides by

// The number of terms that are summed in Real before the sum is added to a Total.
#define STRETCH 32

// The arrays of rows, by position.
struct Rows {
    const Real* mantissa;
    const int* power;
    const Real* place;
    const Real* place_rest;
    const double* winner_weight;
    const double* loser_weight;
    const double* value;
    const int* as_winner;
    const int* as_loser;
    const double* discount;
    const int* rank;
    const double* x;
};

// The parameters of phi: the table of weights, the truncation, and ``base`` and ``slope`` of the divisor
// base + slope |x_winner - x_loser|. x are the scores that the ranks are those of, with noise or without. With a slope
// Real is double, so that x keeps its digits.
struct Weighing {
    const Real* table;
    int truncation;
    Real base, slope;
};

// One row.
struct Item {
    Real mantissa;
    int power;
    Real place, place_rest;
    Real winner_weight, loser_weight;
    Real value;
    int as_winner, as_loser;
    Real discount;
    int rank;
    Real x;
};

__device__ inline Item load(const Rows& rows, int p) {
    Item item;
    item.mantissa = rows.mantissa[p];
    item.power = rows.power[p];
    if (LOSS) {
        item.place = rows.place[p];
        item.place_rest = rows.place_rest[p];
    }
    if (WEIGHTED) {
        item.winner_weight = (Real)rows.winner_weight[p];
        item.loser_weight = (Real)rows.loser_weight[p];
    }
    if (PHI == DIFFERENCE || PHI == DELTA_NDCG) item.value = (Real)rows.value[p];
    if (PHI == TABLE) {
        item.as_winner = rows.as_winner[p];
        item.as_loser = rows.as_loser[p];
    }
    if (PHI == DELTA_NDCG) {
        item.discount = (Real)rows.discount[p];
        item.rank = rows.rank[p];
        item.x = (Real)rows.x[p];
    }
    return item;
}

// Rows in shared memory. Arrays that are not used have a single entry.
struct Columns {
    Real mantissa[TILE];
    int power[TILE];
    Real place[LOSS ? TILE : 1], place_rest[LOSS ? TILE : 1];
    Real winner_weight[WEIGHTED ? TILE : 1], loser_weight[WEIGHTED ? TILE : 1];
    Real value[PHI == DIFFERENCE || PHI == DELTA_NDCG ? TILE : 1];
    int as_winner[PHI == TABLE ? TILE : 1], as_loser[PHI == TABLE ? TILE : 1];
    Real discount[PHI == DELTA_NDCG ? TILE : 1];
    int rank[PHI == DELTA_NDCG ? TILE : 1];
    Real x[PHI == DELTA_NDCG ? TILE : 1];

    __device__ void put(int j, const Item& item) {
        mantissa[j] = item.mantissa;
        power[j] = item.power;
        if (LOSS) {
            place[j] = item.place;
            place_rest[j] = item.place_rest;
        }
        if (WEIGHTED) {
            winner_weight[j] = item.winner_weight;
            loser_weight[j] = item.loser_weight;
        }
        if (PHI == DIFFERENCE || PHI == DELTA_NDCG) value[j] = item.value;
        if (PHI == TABLE) {
            as_winner[j] = item.as_winner;
            as_loser[j] = item.as_loser;
        }
        if (PHI == DELTA_NDCG) {
            discount[j] = item.discount;
            rank[j] = item.rank;
            x[j] = item.x;
        }
    }

    __device__ Item get(int j) const {
        Item item;
        item.mantissa = mantissa[j];
        item.power = power[j];
        if (LOSS) {
            item.place = place[j];
            item.place_rest = place_rest[j];
        }
        if (WEIGHTED) {
            item.winner_weight = winner_weight[j];
            item.loser_weight = loser_weight[j];
        }
        if (PHI == DIFFERENCE || PHI == DELTA_NDCG) item.value = value[j];
        if (PHI == TABLE) {
            item.as_winner = as_winner[j];
            item.as_loser = as_loser[j];
        }
        if (PHI == DELTA_NDCG) {
            item.discount = discount[j];
            item.rank = rank[j];
            item.x = x[j];
        }
        return item;
    }
};

__device__ inline Real phi(const Item& winner, const Item& loser, const Weighing& by) {
    if (PHI == DIFFERENCE) return winner.value - loser.value;
    if (PHI == TABLE) return by.table[winner.as_winner + loser.as_loser];
    if (PHI == DELTA_NDCG) {
        if (min(winner.rank, loser.rank) >= by.truncation) return 0;
        Real exchange = pairloss::exchange(winner.value - loser.value, winner.discount - loser.discount);
        return by.slope == 0 ? exchange : pairloss::over_distance(exchange, winner.x - loser.x, by.base, by.slope);
    }
    return 1;
}

// The sums of a row as winner or as loser of its pairs, without its own weight.
struct Sums {
    Total first, second, counted;
};

// Add the pairs of a row with the columns [begin, end), all of which it beats, or all of which beat it.
template <bool IS_WIDE, bool WINS>
__device__ inline void meet(
    const Item& row, const Columns& columns, int begin, int end, const Weighing& by, int counts_phi, Sums& sums
) {
    for (int start = begin; start < end; start += STRETCH) {
        Real first = 0, second = 0, counted = 0;
        int stop = min(start + STRETCH, end);
#pragma unroll 4
        for (int j = start; j < stop; ++j) {
            Item column = columns.get(j);
            const Item& winner = WINS ? row : column;
            const Item& loser = WINS ? column : row;
            Real share = phi(winner, loser, by);
            if (PHI == DELTA_NDCG && share == 0) continue;  // true for most pairs if few ranks count
            Real weight = share;
            if (WEIGHTED) weight *= WINS ? column.loser_weight : column.winner_weight;
            if (LOSS) {
                Real above = (loser.place - winner.place) + (loser.place_rest - winner.place_rest);
                first += weight * softplus<IS_WIDE>(
                    above, winner.mantissa, winner.power, loser.mantissa, loser.power);
                second += weight;
            } else {
                auto pair = curve<IS_WIDE>(winner.mantissa, winner.power, loser.mantissa, loser.power);
                first += weight * pair.r;
                second += weight * pair.t;
                // If all weights and phi are 1, this sum is equal to the first one.
                if (WINS && (WEIGHTED || PHI != UNIFORM)) counted += counts_phi ? share : share * pair.r;
            }
        }
        sums.first.add(first);
        sums.second.add(second);
        if (WEIGHTED || PHI != UNIFORM) sums.counted.add(counted);
    }
}

template <bool IS_WIDE>
__device__ inline void meet_both(
    const Item& row, const Columns& columns, int begin, int end, int run_begin, int run_end, const Weighing& by,
    int counts_phi, Sums& won, Sums& lost
) {
    meet<IS_WIDE, true>(row, columns, max(run_end, begin), end, by, counts_phi, won);
    if (!LOSS) meet<IS_WIDE, false>(row, columns, begin, min(run_begin, end), by, counts_phi, lost);
}

extern "C" __global__ void __launch_bounds__(TILE) sum_pairs(
    int n, const int* range, const int* range_begin, const int* range_end, const int* range_query,
    const int* run_begin, const int* run_end, const int* flags, const Real* mantissa, const int* power,
    const Real* place, const Real* place_rest, const double* winner_weight, const double* loser_weight,
    const double* value, const int* as_winner, const int* as_loser, const Real* table, const double* discount,
    const int* rank, const double* x, double base, double slope, int truncation, int counts_phi, int has_far,
    const double* far_first, const double* far_second, Real* first, Real* second, Real* counted
) {
    __shared__ Columns columns;
    const Rows rows = {mantissa, power,     place,    place_rest, winner_weight, loser_weight,
                       value,    as_winner, as_loser, discount,   rank,          x};
    int p = blockIdx.x * TILE + threadIdx.x;
    bool inside = p < n;
    int own = range[inside ? p : n - 1];
    int known = flags[range_query[own]];
    int begin = range_begin[own], end = range_end[own];
    int own_begin = run_begin[inside ? p : n - 1], own_end = run_end[inside ? p : n - 1];
    Item row = load(rows, inside ? p : n - 1);
    bool tied = known & TIED;
    const Weighing by = {table, truncation, tied ? (Real)1 : (Real)base, tied ? (Real)0 : (Real)slope};
    Sums won, lost;
    int last = range_end[range[min((int)(blockIdx.x + 1) * TILE, n) - 1]];
    for (int start = range_begin[range[blockIdx.x * TILE]]; start < last; start += TILE) {
        __syncthreads();
        int column = start + threadIdx.x;
        if (column < last) columns.put(threadIdx.x, load(rows, column));
        __syncthreads();
        // The bounds of the range, relative to the first of these columns.
        int from = max(begin - start, 0), to = min(min(end, start + TILE) - start, last - start);
        if (!inside || from >= to) continue;
        if (known & WIDE)
            meet_both<true>(row, columns, from, to, own_begin - start, own_end - start, by, counts_phi, won, lost);
        else
            meet_both<false>(row, columns, from, to, own_begin - start, own_end - start, by, counts_phi, won, lost);
    }
    if (!inside) return;
    double as_winner_weight = WEIGHTED ? winner_weight[p] : 1.0, as_loser_weight = WEIGHTED ? loser_weight[p] : 1.0;
    double sign = LOSS ? 1.0 : -1.0;
    double a = sign * as_winner_weight * won.first.value() + as_loser_weight * lost.first.value();
    double b = as_winner_weight * won.second.value() + as_loser_weight * lost.second.value();
    if (has_far) {
        a += far_first[p];
        b += far_second[p];
    }
    first[p] = (Real)a;
    second[p] = (Real)b;
    counted[p] = (Real)(WEIGHTED || PHI != UNIFORM ? won.counted.value() : won.first.value());
}
