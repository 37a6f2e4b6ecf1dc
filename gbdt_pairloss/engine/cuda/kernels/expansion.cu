// The fast sums between the halves of a query's tree (core/chebyshev.h, core/charges.h, plan.py), in double: O(rows)
// work.
//
// TERMS is the number of Chebyshev terms. The nodes of a tree are consecutive. A tree has panels, those that hold a
// score. Its moments are ordered by (node, channel, panel, term), and its coefficients by (node, target, panel, term),
// with the terms of sigma followed by those of sigma'.

#include "../../core/charges.h"
#include "../../core/chebyshev.h"
#include "arithmetic.cuh"

using pairloss::Expansion, pairloss::Flow, pairloss::Panels, pairloss::kPanelWidth;

// ``flow`` of the host is a table of whole numbers, a row for each translation.
static_assert(sizeof(Flow) == 7 * sizeof(int), "the columns of flows() in expansion.py");

#define MOST_ROWS 2048  // the largest number of rows of a leaf

// The panels of a tree: their positions are ``positions`` from begin[tree] to begin[tree + 1].
__device__ inline Panels panels_of(int tree, const int* begin, const double* positions) {
    return {positions + begin[tree], begin[tree + 1] - begin[tree], nullptr, 0};
}

// The index of the panel of a score u. ``local`` is the place of the score in the panel, in [-1, 1].
__device__ inline int place_row(double u, const Panels& panels, double& local) {
    double panel = pairloss::panel_of(u);
    local = pairloss::place_in_panel(u, panel);
    return pairloss::index_of_panel(panels, panel);
}

// The weight of a row in a role: 0, winner; 1, loser; 2, neither.
__device__ inline double role_weight(
    int p, int role, int weighted, const double* winner_weight, const double* loser_weight
) {
    if (!weighted || role == 2) return 1.0;
    return role == 0 ? winner_weight[p] : loser_weight[p];
}

// Mark the panels that hold a score, counted from the first panel of the tree. There is a block for each leaf. Trees
// without slots are skipped.
extern "C" __global__ void __launch_bounds__(TILE) mark_panels(
    const int* leaves, const int* node_begin, const int* node_end, const int* node_tree, const int* tree_query,
    const double* centre, double temperature, const double* x, const double* first_panel, const long long* slot_begin,
    int* marks
) {
    int node = leaves[blockIdx.x], tree = node_tree[node];
    if (slot_begin[tree] == slot_begin[tree + 1]) return;
    for (int p = node_begin[node] + threadIdx.x; p < node_end[node]; p += TILE) {
        double u = (x[p] - centre[tree_query[tree]]) / temperature;
        marks[slot_begin[tree] + (long long)(pairloss::panel_of(u) - first_panel[tree])] = 1;
    }
}

// The moments of the rows of a leaf. There is a block for each leaf.
extern "C" __global__ void __launch_bounds__(TILE) expand_leaves(
    const int* leaves, const int* node_begin, const int* node_end, const int* node_tree, const int* first_node,
    const int* tree_query, const double* centre, double temperature, const double* x, const int* panel_begin,
    const double* panels, const long long* moment_begin, int n_channels, int powers, int weighted,
    const double* winner_weight, const double* loser_weight, const double* value, double* moments
) {
    __shared__ int slot[MOST_ROWS];
    __shared__ double local[MOST_ROWS];
    __shared__ double partial[TILE / WARP][TERMS];
    int node = leaves[blockIdx.x], tree = node_tree[node], begin = node_begin[node], n = node_end[node] - begin;
    Panels own = panels_of(tree, panel_begin, panels);
    for (int r = threadIdx.x; r < n; r += TILE)
        slot[r] = place_row((x[begin + r] - centre[tree_query[tree]]) / temperature, own, local[r]);
    long long size = (long long)n_channels * own.n * TERMS;
    double* out = moments + moment_begin[tree] + (node - first_node[tree]) * size;
    for (int channel = 0; channel < n_channels; ++channel) {
        int role = channel / powers;
        bool times_value = channel % powers == 1;
        for (int panel = 0; panel < own.n; ++panel) {
            double m[TERMS];
            for (int k = 0; k < TERMS; ++k) m[k] = 0;
            int some = 0;
            for (int r = threadIdx.x; r < n; r += TILE) {
                if (slot[r] != panel) continue;
                some = 1;
                double charge = role_weight(begin + r, role, weighted, winner_weight, loser_weight);
                if (times_value) charge *= value[begin + r];
                pairloss::add_moments<TERMS>(local[r], charge, m);
            }
            double* to = out + ((long long)channel * own.n + panel) * TERMS;
            if (!__syncthreads_or(some)) {
                if (threadIdx.x < TERMS) to[threadIdx.x] = 0;
                continue;
            }
            for (int k = 0; k < TERMS; ++k) {
                double sum = sum_over_lanes(m[k]);
                if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP][k] = sum;
            }
            __syncthreads();
            if (threadIdx.x < TERMS) {
                double sum = 0;
                for (int warp = 0; warp < TILE / WARP; ++warp) sum += partial[warp][threadIdx.x];
                to[threadIdx.x] = sum;
            }
        }
    }
}

// The moments of the inner nodes of a depth: the sums of those of their children. There is a block for each node. Each
// number is summed by one thread if there are two children, and by a warp if there are many chunks.
extern "C" __global__ void __launch_bounds__(TILE) add_children(
    const int* nodes, const int* first_child, const int* end_child, const int* node_tree, const int* first_node,
    const int* panel_begin, const long long* moment_begin, int n_channels, double* moments
) {
    int node = nodes[blockIdx.x], tree = node_tree[node], first = first_node[tree];
    long long size = (long long)n_channels * (panel_begin[tree + 1] - panel_begin[tree]) * TERMS;
    double* own = moments + moment_begin[tree];
    const double* children = own + (first_child[node] - first) * size;
    int n_children = end_child[node] - first_child[node];
    int share = n_children > 2 ? WARP : 1;
    // No thread leaves the loop early, because all lanes take part in the sum over lanes.
    for (long long start = 0; start < size; start += TILE / share) {
        long long i = start + threadIdx.x / share;
        double total = 0;
        if (i < size)
            for (int child = threadIdx.x % share; child < n_children; child += share)
                total += children[child * size + i];
        if (share > 1) total = sum_over_lanes(total);
        if (i < size && threadIdx.x % share == 0) own[(node - first) * size + i] = total;
    }
}

// Coefficient ``l`` at a target panel of the sum over all source panels: of sigma or, from TERMS on, of sigma'. Side 0:
// the targets are winners, and the sum is over sigma(source - target). Side 1: they are losers, and it is over
// sigma(target - source). At a distance of more than ``near`` panels, sigma is replaced by its tail: e^-|d| on one
// side, and 1 on the other (or d, for the loss). ``translate`` in core/chebyshev.h computes all coefficients at once,
// with sums that run from panel to panel; here every thread has one.
__device__ inline double translated(
    const double* moments, const Panels& panels, int target, int l, int side, const Expansion& e
) {
    double total = 0;
    for (int source = 0; source < panels.n; ++source) {
        const double* m = moments + (long long)source * TERMS;
        double distance = panels.position[source] - panels.position[target];
        if (fabs(distance) <= e.near) {
            const double* kernel = e.kernels +
                ((long long)side * (2 * e.near + 1) + (int)distance + e.near) * TERMS * (2 * TERMS) + l;
            for (int k = 0; k < TERMS; ++k) total += kernel[k * 2 * TERMS] * m[k];
            continue;
        }
        bool above = distance > 0;
        bool is_slope = l >= TERMS;
        bool is_tail = is_slope ? !e.is_loss : above == (side == 1);
        if (is_tail) {
            const double* towards = above ? e.falling : e.rising;
            const double* away = above ? e.rising : e.falling;
            double reach = 0;
            for (int k = 0; k < TERMS; ++k) reach += towards[k] * m[k];
            total += reach * exp(-kPanelWidth * fabs(distance)) * away[is_slope ? l - TERMS : l];
        } else if (is_slope) {
            if (l == TERMS) total += m[0];
        } else if (e.is_loss) {
            if (l == 0) total += m[0] * kPanelWidth * distance + m[1] * kPanelWidth / 2;
            if (l == 1) total -= m[0] * kPanelWidth / 2;
        } else if (l == 0) {
            total += m[0];
        }
    }
    return total;
}

// The coefficients of the nodes of a depth: those of the parent, plus the sums of the node's rows over its sibling's.
// There are ``n_shares`` blocks for each node. ``node_sum`` is the sum of phi sigma(-d) over these pairs, which is
// counted once for both siblings.
extern "C" __global__ void __launch_bounds__(TILE) pass_down(
    const int* nodes, int n_shares, const int* parent, const int* sibling, const int* side, const int* node_tree,
    const int* first_node, const int* panel_begin, const double* panels, const long long* moment_begin,
    const long long* coefficient_begin, int n_channels, int n_targets, int n_flows, const int* flow,
    const double* kernels, const double* rising, const double* falling, int near, int is_loss, int with_lambda_sum,
    const double* moments, double* coefficients, double* node_sum
) {
    __shared__ double partial[TILE / WARP];
    int share = blockIdx.x % n_shares, start = share * TILE + threadIdx.x, step = n_shares * TILE;
    int node = nodes[blockIdx.x / n_shares], tree = node_tree[node], first = first_node[tree];
    Panels own = panels_of(tree, panel_begin, panels);
    const Expansion expansion = {kernels, rising, falling, near, is_loss != 0};
    const Flow* flows = reinterpret_cast<const Flow*>(flow);
    int channel_size = own.n * TERMS, target_size = own.n * 2 * TERMS;
    const double* all = moments + moment_begin[tree];
    // The root has neither a sibling nor a parent. Its pointers to them are valid, and are not read.
    const double* from = all + (long long)(max(sibling[node], first) - first) * n_channels * channel_size;
    double* out = coefficients + coefficient_begin[tree] + (long long)(node - first) * n_targets * target_size;
    const double* above = coefficients + coefficient_begin[tree] +
        (long long)(max(parent[node], first) - first) * n_targets * target_size;
    for (int i = start; i < n_targets * target_size; i += step) {
        int target = i / target_size, panel = i % target_size / (2 * TERMS), l = i % (2 * TERMS);
        double total = parent[node] < 0 ? 0.0 : above[i];
        for (int f = 0; f < n_flows; ++f) {
            const Flow& to = flows[f];
            if (to.side != side[node] || to.target != target) continue;
            double sign = l < TERMS ? to.sign : to.sign_slope;
            total += sign * translated(from + to.source * channel_size, own, panel, l, side[node], expansion);
        }
        out[i] = total;
    }
    if (!with_lambda_sum) return;
    double lambda_sum = 0;
    for (int f = 0; f < n_flows; ++f) {
        const Flow& to = flows[f];
        if (to.side != side[node] || to.dual < 0) continue;
        const double* dual = all + ((long long)(node - first) * n_channels + to.dual) * channel_size;
        for (int i = start; i < channel_size; i += step)
            lambda_sum += to.dual_sign * dual[i] *
                translated(from + to.source * channel_size, own, i / TERMS, i % TERMS, side[node], expansion);
    }
    lambda_sum = sum_over_block(lambda_sum, partial);
    if (threadIdx.x == 0) node_sum[node * n_shares + share] = lambda_sum;
}

// The sums of the rows of a leaf over the rows outside it. There is a block for each leaf.
extern "C" __global__ void __launch_bounds__(TILE) evaluate_leaves(
    const int* leaves, const int* node_begin, const int* node_end, const int* node_tree, const int* summed_by,
    const int* first_node, const int* tree_query, const double* centre, double temperature, const double* x,
    const int* panel_begin, const double* panels, const long long* coefficient_begin, int n_targets, int powers,
    int weighted, const double* winner_weight, const double* loser_weight, const double* value,
    const double* coefficients, double* far_first, double* far_second
) {
    int node = leaves[blockIdx.x], tree = node_tree[node];
    Panels own = panels_of(tree, panel_begin, panels);
    const double* all = coefficients + coefficient_begin[tree] +
        (long long)(summed_by[node] - first_node[tree]) * n_targets * own.n * 2 * TERMS;
    for (int p = node_begin[node] + threadIdx.x; p < node_end[node]; p += TILE) {
        double local;
        int panel = place_row((x[p] - centre[tree_query[tree]]) / temperature, own, local);
        double total_first = 0, total_second = 0;
        for (int target = 0; target < n_targets; ++target) {
            const double* c = all + ((long long)target * own.n + panel) * 2 * TERMS;
            pairloss::Evaluated sums = pairloss::evaluate<TERMS>(local, c);
            double weight = role_weight(p, target / powers, weighted, winner_weight, loser_weight);
            if (powers == 2 && target % 2 == 0) weight *= value[p];
            total_first += weight * sums.first;
            total_second += weight * sums.second;
        }
        far_first[p] = total_first;
        far_second[p] = total_second;
    }
}
