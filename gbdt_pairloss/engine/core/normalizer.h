// The factor of a query: its weight times its normaliser.
#pragma once

#include "portable.h"

namespace pairloss {

enum Normalizer : int { kNone = 0, kQuery = 1, kLog = 2 };

// The normaliser of a query of n rows that take part; `lambda_sum` is its sum of phi |l'| / T and `phi_sum` its sum of
// phi, both before all weights.
//
//     none    1
//     query   n / sum of phi, and 0 for a sum of 0
//     log     log2(1 + S) / S with S = 2 sum |lambda| (LightGBM, rank_objective.hpp, lambdarank_norm), and its limit
PAIRLOSS_CORE double normalizer(int kind, double n, double lambda_sum, double phi_sum) {
  if (kind == kQuery) return phi_sum > 0 ? n / phi_sum : 0.0;
  if (kind == kLog) {
    const double total = 2 * lambda_sum;
    return (total > 0 ? log1p(total) / total : 1.0) / 0.6931471805599453;
  }
  return 1.0;
}

}  // namespace pairloss
