// The rows of a query as the loops read them.
#pragma once

#include <cstdint>

namespace pairloss {

// The rows of a query in descending order of their labels. Positions are counted from the first row of the query; a
// null pointer stands for weights of 1, or for phi = 1.
struct Rows {
  int n;
  const std::int32_t* run_begin;  // the run of equal labels of each row
  const std::int32_t* run_end;
  const double* winner_weight;
  const double* loser_weight;
  const double* value;  // phi is the difference of two rows' values

  bool is_weighted() const { return winner_weight != nullptr; }
  bool has_values() const { return value != nullptr; }
  bool is_plain() const { return !is_weighted() && !has_values(); }
  bool has_one_label(int first, int last) const { return run_end[first] >= last; }

  // The same rows with weights of 1.
  Rows unweighted() const { return {n, run_begin, run_end, nullptr, nullptr, value}; }

  // The middle of the values. It is subtracted before values are multiplied: labels near 1e6 would cost digits.
  double value_centre() const { return value == nullptr ? 0.0 : 0.5 * (value[0] + value[n - 1]); }
};

}  // namespace pairloss
