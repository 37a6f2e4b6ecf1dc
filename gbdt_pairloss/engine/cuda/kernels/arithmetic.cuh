// The arithmetic that all kernels share: sums over the threads of a warp and of a block, and the pair curve
// (core/pair_curve.h) of scores that may be far apart. REAL is float or double.
//
// A row is identified by its position in the plan, a 32-bit number. No sum depends on the order in which threads run.

#include "../../core/pair_curve.h"
#include "../../core/power_of_two.h"

typedef REAL Real;

#define TILE 128  // threads of every block
#define WARP 32
#define WHOLE_WARP 0xffffffffu

#define LARGEST 1.7976931348623157e308

// Flags of a query, about its scores.
#define WIDE 1    // their span is too wide for e^score as one floating-point number
#define TIED 2    // those that ranks and distances are those of are all equal
#define BEYOND 4  // their span is too wide for these kernels

// The largest power of two in one factor. The rest is a factor of its own, whose product may underflow.
#define MOST_POWER (sizeof(Real) == 4 ? 120 : 1000)

#ifdef __CUDA_ARCH__
// One instruction with an error of one unit in the last place, instead of eight for a correctly rounded quotient.
template <>
struct pairloss::Reciprocal<float> {
    static PAIRLOSS_CORE float of(float x) {
        float y;
        asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
        return y;
    }
};
#endif

// 2^power, with the power limited to [-MOST_POWER, MOST_POWER].
__device__ inline Real power_of_two(int power) {
    return pairloss::power_of_two<Real>(min(max(power, -MOST_POWER), MOST_POWER));
}

// A sum, and the rounding errors of its additions (Knuth's two-sum).
struct Total {
    Real sum, rest;

    __device__ Total() : sum(0), rest(0) {}

    __device__ void add(Real x) {
        Real next = sum + x;
        Real part = next - sum;
        rest += (sum - (next - part)) + (x - part);
        sum = next;
    }

    __device__ double value() const { return (double)sum + (double)rest; }
};

// The sum over the lanes of a warp, or over each group of ``lanes`` lanes. Every lane has the result. The order is
// fixed.
__device__ inline double sum_over_lanes(double value, int lanes = WARP) {
    for (int step = lanes / 2; step > 0; step /= 2) value += __shfl_xor_sync(WHOLE_WARP, value, step);
    return value;
}

// The smallest ``low`` and the largest ``high`` of the lanes of a warp, in every lane.
__device__ inline void find_extremes(double& low, double& high) {
    for (int step = WARP / 2; step > 0; step /= 2) {
        low = fmin(low, __shfl_xor_sync(WHOLE_WARP, low, step));
        high = fmax(high, __shfl_xor_sync(WHOLE_WARP, high, step));
    }
}

// The sum over the threads of a block, in a fixed order. ``partial`` is shared memory with one entry for each warp.
__device__ inline double sum_over_block(double value, double* partial) {
    value = sum_over_lanes(value);
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = value;
    __syncthreads();
    double total = 0;
    for (int warp = 0; warp < TILE / WARP; ++warp) total += partial[warp];
    __syncthreads();
    return total;
}

// e^score of a winner and of a loser in a common unit. If their powers of two differ by more than MOST_POWER, ``rest`` is
// the remaining power of two, with a negative exponent.
struct Ratio {
    Real winner, loser, rest;

    template <bool IS_WIDE>
    __device__ static Ratio of(Real winner, int winner_power, Real loser, int loser_power) {
        Ratio ratio = {winner, loser, 1};
        if (IS_WIDE) {
            int difference = winner_power - loser_power;
            ratio.winner *= power_of_two(difference);
            ratio.rest = power_of_two(min(MOST_POWER - abs(difference), 0));
        }
        return ratio;
    }
};

// r and t of a pair (core/pair_curve.h) from e^score = mantissa 2^power of both rows.
template <bool IS_WIDE>
__device__ inline pairloss::PairCurve<Real> curve(Real winner, int winner_power, Real loser, int loser_power) {
    Ratio e = Ratio::of<IS_WIDE>(winner, winner_power, loser, loser_power);
    pairloss::PairCurve<Real> pair = pairloss::pair_curve(e.winner, e.loser);
    if (IS_WIDE) {
        pair.t *= e.rest;
        if (winner_power > loser_power) pair.r *= e.rest;
    }
    return pair;
}

// softplus(-d) of a pair, likewise. ``above`` is -d.
template <bool IS_WIDE>
__device__ inline Real softplus(Real above, Real winner, int winner_power, Real loser, int loser_power) {
    Ratio e = Ratio::of<IS_WIDE>(winner, winner_power, loser, loser_power);
    if (IS_WIDE) (winner_power > loser_power ? e.loser : e.winner) *= e.rest;
    return pairloss::softplus<Real>(above, e.winner, e.loser);
}
