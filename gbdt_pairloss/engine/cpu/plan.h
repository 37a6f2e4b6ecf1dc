// A plan as the loops read it: pointers to the arrays of a ranking plan, which Python keeps alive.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.h"
#include "pool.h"
#include "rows.h"

namespace pairloss {

// The caller's row of each position: 32 or 64 bits wide, as the plan has them.
struct RowNumbers {
  const std::int32_t* narrow = nullptr;
  const std::int64_t* wide = nullptr;
};

// The caller's scores, in either precision.
struct Scores {
  const float* single = nullptr;
  const double* twice = nullptr;
};

// The memory that a large query is summed in. A plan keeps it for its next call: the first access to a page takes
// longer than the sums of its rows.
struct LargeMemory {
  Buffer<double> x;
  Buffer<std::int32_t> order, spare_order;
  Buffer<unsigned char> first, second;  // sums in either precision
};

struct Plan {
  std::int64_t n_rows = 0, n_positions = 0, n_queries = 0;
  const std::int64_t* ptr = nullptr;  // where each query begins, and the end
  RowNumbers row;
  const double* winner_weight = nullptr;
  const double* loser_weight = nullptr;
  const double* value = nullptr;
  const double* query_weight = nullptr;
  Buffer<std::int32_t> run_begin, run_end;  // runs of equal labels, counted from the first row of the query
  // The rows of each query that win and that lose some pair. They are kept because the last run of a query, where they
  // could be read, is not in the cache when its turn comes: that took 6% of the time of small queries.
  Buffer<std::int32_t> n_winners, n_losers;

  mutable Pool<LargeMemory> large;

  int size(std::int64_t query) const { return static_cast<int>(ptr[query + 1] - ptr[query]); }

  Rows rows(std::int64_t query) const {
    const std::int64_t at = ptr[query];
    const auto shifted = [at](const double* array) { return array == nullptr ? nullptr : array + at; };
    return {size(query),           run_begin.get() + at, run_end.get() + at, shifted(winner_weight),
            shifted(loser_weight), shifted(value)};
  }

  // The bounds of n ranges of queries, with about equal numbers of rows.
  std::vector<std::int64_t> equal_ranges(std::int64_t n) const {
    std::vector<std::int64_t> bounds{0};
    for (std::int64_t k = 1; k < n; ++k) {
      bounds.push_back(std::lower_bound(ptr, ptr + n_queries, n_positions / n * k) - ptr);
    }
    bounds.push_back(n_queries);
    return bounds;
  }
};

// Call function(row numbers of the query that begins at position `at`), of the type that the plan has.
template <class Function>
auto with_row_numbers(const RowNumbers& row, std::int64_t at, const Function& function) {
  return row.narrow != nullptr ? function(row.narrow + at) : function(row.wide + at);
}

template <class Function>
auto with_scores(const Scores& scores, const Function& function) {
  return scores.single != nullptr ? function(scores.single) : function(scores.twice);
}

}  // namespace pairloss
