// The fast sum: sigma interpolated on panels of scores, O(n) whatever the number of pairs.
//
// sigma(x) = 1 / (1 + e^-x) is analytic in the strip |Im x| < pi. On panels of width 2 (scores over the temperature) a
// Chebyshev interpolant in both arguments converges like 6.4^-terms. With x = (score / T - centre) / (width / 2):
//
//     moments of the sources    M[s, k] = sum_j q_j T_k(x_j)                over the rows j of panel s
//     translation               F[t, l] = sum_s sum_k K[s - t][k, l] M[s, k]
//     at a target               sum_j q_j sigma((s_j - s_i) / T) = sum_l F[t, l] T_l(x_i)
//
// sigma' has matrices of its own: differentiating the interpolant would cost two digits. Beyond `near` panels the
// kernel is its tail: e^-|d|, which has rank one, on one side, and 1 on the other. Panels without a row are left out,
// so that an outlier costs one panel, wherever it lies. The matrices are computed in NumPy (engine/expansion.py).
#pragma once

#include "portable.h"

namespace pairloss {

// Width of a panel, in temperatures.
constexpr double kPanelWidth = 2.0;

// Terms of the expansion for sums in a type, for errors of 1e-7 and 1e-14 of what is summed.
template <class Real>
constexpr int kTermsOf = sizeof(Real) == 4 ? 8 : 18;

struct Expansion {
  const double* kernels;  // (2, 2 near + 1, terms, 2 terms): by side and distance, of sigma and of sigma'
  const double* rising;   // (terms,): e^d on a panel
  const double* falling;  // (terms,): e^-d
  int near;
  bool is_loss;  // of softplus in the place of sigma, and of 1 in that of sigma', for winners only
};

// The panels that hold a score: their whole-number positions, ascending.
struct Panels {
  const double* position;
  int n;
  const std::int32_t* slots;  // slots[panel - position[0]] is the index of a panel; null where bisection finds it
  int n_slots;
};

PAIRLOSS_CORE double panel_of(double x) { return floor(x / kPanelWidth); }

// Where in its panel a score lies, in [-1, 1].
PAIRLOSS_CORE double place_in_panel(double x, double panel) { return 2 * (x / kPanelWidth - panel) - 1; }

PAIRLOSS_CORE int index_of_panel(const Panels& panels, double panel) {
  if (panels.n_slots > 0) {
    const auto place = static_cast<std::int64_t>(panel - panels.position[0]);
    return panels.n_slots == panels.n ? static_cast<int>(place) : panels.slots[place];  // equal: no gaps
  }
  int low = 0, high = panels.n - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (panels.position[middle] < panel) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// moments[k] += charge T_k(x).
template <int kTerms>
PAIRLOSS_CORE void add_moments(double x, double charge, double* moments) {
  double t0 = charge, t1 = charge * x;
  for (int k = 0; k < kTerms; ++k) {
    moments[k] += t0;
    const double t2 = 2 * x * t1 - t0;
    t0 = t1;
    t1 = t2;
  }
}

// polynomials[k] = T_k(x).
template <int kTerms>
PAIRLOSS_CORE void chebyshev_polynomials(double x, double* polynomials) {
  double t0 = 1, t1 = x;
  for (int k = 0; k < kTerms; ++k) {
    polynomials[k] = t0;
    const double t2 = 2 * x * t1 - t0;
    t0 = t1;
    t1 = t2;
  }
}

// The sums that a row evaluates: of sigma and of sigma'.
struct Evaluated {
  double first, second;
};

template <int kTerms>
PAIRLOSS_CORE Evaluated evaluate(double x, const double* coefficients) {
  double t0 = 1, t1 = x, first = 0, second = 0;
  for (int k = 0; k < kTerms; ++k) {
    first += coefficients[k] * t0;
    second += coefficients[k + kTerms] * t0;
    const double t2 = 2 * x * t1 - t0;
    t0 = t1;
    t1 = t2;
  }
  return {first, second};
}

// out += sign K M for the matrix of one distance of panels; `out` are the coefficients of sigma and of sigma'.
template <int kTerms>
PAIRLOSS_CORE void add_translated(const double* matrix, const double* moments, double sign, double* out) {
  for (int k = 0; k < kTerms; ++k) {
    const double moment = sign * moments[k];
#pragma omp simd
    for (int l = 0; l < 2 * kTerms; ++l) out[l] += matrix[k * 2 * kTerms + l] * moment;
  }
}

// Add what `translate` sums over the panels that are not near: 1 on one side (for the loss, the difference), e^-|d| on
// the other. Two sweeps with running sums: over the sources below the target, and over those above it.
template <int kTerms>
PAIRLOSS_CORE void add_far(const double* moments, const Panels& panels, int side, bool is_signed,
                           const Expansion& expansion, double* out) {
  const double* position = panels.position;
  for (int sweep = 0; sweep < 2; ++sweep) {
    const bool above = sweep == 1;
    // Below: sigma(source - target) is e^(source - target), a tail. For losers the sides are exchanged.
    const bool is_tail = above == (side == 1);
    const double* towards = above ? expansion.falling : expansion.rising;  // of the source
    const double* away = above ? expansion.rising : expansion.falling;     // of the target
    double tail = 0, mass = 0, moment = 0;   // moment: of the distances of the sources from the target panel's centre
    int waiting = above ? panels.n - 1 : 0;  // the first source that is not yet in the sums
    double previous = position[waiting];
    for (int step = 0; step < panels.n; ++step) {
      const int t = above ? panels.n - 1 - step : step;
      tail *= exp(-kPanelWidth * fabs(position[t] - previous));
      moment -= mass * kPanelWidth * (position[t] - previous);
      previous = position[t];
      while (fabs(position[t] - position[waiting]) > expansion.near) {
        const double* source = moments + static_cast<std::int64_t>(waiting) * kTerms;
        double reach = 0;
        for (int k = 0; k < kTerms; ++k) reach += towards[k] * source[k];
        tail += reach * exp(-kPanelWidth * fabs(position[t] - position[waiting]));
        mass += source[0];
        moment += source[0] * kPanelWidth * (position[waiting] - position[t]) + source[1] * kPanelWidth / 2;
        waiting += above ? -1 : 1;
      }
      const double sign = is_signed && !above ? -1 : 1;
      double* target = out + static_cast<std::int64_t>(t) * 2 * kTerms;
      if (is_tail) {
        for (int k = 0; k < kTerms; ++k) target[k] += sign * tail * away[k];
      } else if (expansion.is_loss) {
        target[0] += sign * moment;
        target[1] -= sign * mass * kPanelWidth / 2;
      } else {
        target[0] += sign * mass;
      }
      if (expansion.is_loss) {
        target[kTerms] += sign * mass;
      } else {
        for (int k = 0; k < kTerms; ++k) target[kTerms + k] += sign * tail * away[k];
      }
    }
  }
}

// Coefficients at all panels of what all panels hold, those of sigma and of sigma' side by side.
//
// Side 0: the targets are winners and sum sigma(source - target); 1: losers, and sigma(target - source). If
// `is_signed`, panels above the target count as +, those below as -, and its own does not count.
template <int kTerms>
PAIRLOSS_CORE void translate(const double* moments, const Panels& panels, int side, bool is_signed,
                             const Expansion& expansion, double* out) {
  const double* position = panels.position;
  int low = 0, high = 0;
  for (int t = 0; t < panels.n; ++t) {
    while (position[t] - position[low] > expansion.near) ++low;
    while (high < panels.n && position[high] - position[t] <= expansion.near) ++high;
    double target[2 * kTerms] = {};
    for (int s = low; s < high; ++s) {
      const double* source = moments + static_cast<std::int64_t>(s) * kTerms;
      bool is_empty = true;
      for (int k = 0; k < kTerms; ++k) is_empty &= source[k] == 0;
      if (is_empty || (is_signed && s == t)) continue;
      const int distance = static_cast<int>(position[s] - position[t]) + expansion.near;
      const double* matrix = expansion.kernels + (side * (2 * expansion.near + 1) + distance) * kTerms * 2 * kTerms;
      add_translated<kTerms>(matrix, source, is_signed && s < t ? -1 : 1, target);
    }
    for (int l = 0; l < 2 * kTerms; ++l) out[static_cast<std::int64_t>(t) * 2 * kTerms + l] = target[l];
  }
  if (position[panels.n - 1] - position[0] > expansion.near) {
    add_far<kTerms>(moments, panels, side, is_signed, expansion, out);
  }
}

}  // namespace pairloss
