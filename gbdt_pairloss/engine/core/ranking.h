// The current ranking of a query's rows, as |delta NDCG| uses it: by descending score, equal scores by the caller's
// row order (as in LightGBM and XGBoost).
#pragma once

#include "portable.h"
#include "sorting.h"

namespace pairloss {

// The discount 1 / log2(rank + 2) of a rank from 0.
PAIRLOSS_CORE double discount_of(std::int64_t rank) { return 1.0 / log2(static_cast<double>(rank) + 2.0); }

// As above. `few` holds the discounts of the first `n_few` ranks: logarithms are slow.
PAIRLOSS_CORE double discount_of(std::int64_t rank, const double* few, int n_few) {
  return rank < n_few ? few[rank] : discount_of(rank);
}

// Bring the positions of equal keys into the order of their rows; the keys are used up.
template <class Index>
PAIRLOSS_CORE void order_ties(int n, const Index* row, std::int32_t* order, std::int32_t* spare_order, double* key,
                              double* spare_key) {
  int stop;
  for (int start = 0; start < n; start = stop) {
    stop = start + 1;
    while (stop < n && key[stop] == key[start]) ++stop;
    if (stop - start > 1) {
      for (int k = start; k < stop; ++k) key[k] = -static_cast<double>(row[order[k]]);
      sort(stop - start, key + start, order + start, spare_key, spare_order);
    }
  }
}

// order = the positions by descending score, equal scores by row. The four working arrays have n entries.
template <class Index>
PAIRLOSS_CORE void rank_rows(int n, const double* x, const Index* row, std::int32_t* order, std::int32_t* spare_order,
                             double* key, double* spare_key) {
  for (int p = 0; p < n; ++p) {
    key[p] = x[p];
    order[p] = p;
  }
  sort(n, key, order, spare_key, spare_order);
  order_ties(n, row, order, spare_order, key, spare_key);
}

}  // namespace pairloss
