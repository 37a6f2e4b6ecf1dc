// Keys sorted in descending order, equal keys in the order they have, and the pairs counted that stood the other way.
//
// A merge sort: O(n log n) for any keys, stable, and each merge counts the pairs that it exchanges. A row number moves
// with each key. The spare arrays have at least as many entries as the arrays that are sorted.
#pragma once

#include "portable.h"

namespace pairloss {

// Shorter stretches are sorted by insertion.
constexpr std::int64_t kInsertionWidth = 8;

// Rows that stay in a core's cache with their copies: stretches of so many are sorted one by one and then merged.
constexpr std::int64_t kSortChunk = 16384;

// Sort n keys by insertion; returns the number of pairs that stood the other way.
template <class Row>
PAIRLOSS_CORE std::int64_t insertion_sort(std::int64_t n, double* key, Row* row) {
  std::int64_t turned = 0;
  for (std::int64_t p = 1; p < n; ++p) {
    const double own_key = key[p];
    const Row own_row = row[p];
    std::int64_t to = p;
    for (; to > 0 && key[to - 1] < own_key; --to) {
      key[to] = key[to - 1];
      row[to] = row[to - 1];
    }
    key[to] = own_key;
    row[to] = own_row;
    turned += p - to;
  }
  return turned;
}

// Merge the sorted [left, past_left) and [right, past_right) into to_key and to_row; returns the number of pairs that
// stood the other way.
//
// From both ends at once: two chains of steps that do not wait for each other, and without a branch on a comparison of
// keys, which no processor could predict.
template <class Row>
PAIRLOSS_CORE std::int64_t merge_ranges(const double* key, const Row* row, std::int64_t left, std::int64_t past_left,
                                        std::int64_t right, std::int64_t past_right, double* to_key, Row* to_row) {
  const std::int64_t middle = past_left, n_left = past_left - left, n_right = past_right - right;
  std::int64_t to = 0, past_to = n_left + n_right;
  std::int64_t turned = 0;
  const std::int64_t steps = n_left < n_right ? n_left : n_right;  // so many exhaust neither half
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::int64_t is_right = key[right] > key[left];
    const std::int64_t first = left + (right - left) * is_right;
    to_key[to] = key[first];
    to_row[to] = row[first];
    turned += is_right * (middle - left);
    left += 1 - is_right;
    right += is_right;
    ++to;

    const std::int64_t is_left = key[past_right - 1] > key[past_left - 1];
    const std::int64_t last = past_right + (past_left - past_right) * is_left - 1;
    --past_to;
    to_key[past_to] = key[last];
    to_row[past_to] = row[last];
    turned += (1 - is_left) * (middle - past_left);
    past_left -= is_left;
    past_right -= 1 - is_left;
  }
  for (; to < past_to; ++to) {
    const bool is_right = left == past_left || (right < past_right && key[right] > key[left]);
    const std::int64_t first = is_right ? right : left;
    to_key[to] = key[first];
    to_row[to] = row[first];
    if (is_right) {
      turned += middle - left;
      ++right;
    } else {
      ++left;
    }
  }
  return turned;
}

// Merge the sorted [0, middle) and [middle, end) into to_key and to_row; returns the number of pairs that stood the
// other way.
template <class Row>
PAIRLOSS_CORE std::int64_t merge(const double* key, const Row* row, std::int64_t middle, std::int64_t end,
                                 double* to_key, Row* to_row) {
  return merge_ranges(key, row, std::int64_t{0}, middle, middle, end, to_key, to_row);
}

// How many of the first `n_merged` keys of a merge are from the left one of two sorted ranges.
PAIRLOSS_CORE std::int64_t count_left(const double* left, std::int64_t n_left, const double* right,
                                      std::int64_t n_right, std::int64_t n_merged) {
  std::int64_t low = n_merged > n_right ? n_merged - n_right : 0;
  std::int64_t high = n_merged < n_left ? n_merged : n_left;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    // The left key comes first unless the right one is larger.
    if (right[n_merged - middle - 1] > left[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Write the places [begin, end) of the merge of the sorted [0, n_left) and the n_right keys after it.
template <class Row>
PAIRLOSS_CORE void merge_part(std::int64_t n_left, std::int64_t n_right, const double* key, const Row* row,
                              std::int64_t begin, std::int64_t end, double* to_key, Row* to_row) {
  const std::int64_t left = count_left(key, n_left, key + n_left, n_right, begin);
  const std::int64_t past_left = count_left(key, n_left, key + n_left, n_right, end);
  merge_ranges(key, row, left, past_left, n_left + begin - left, n_left + end - past_left, to_key + begin,
               to_row + begin);
}

// Merge the sorted stretches of `width` keys that the n keys consist of, two by two until there is one.
template <class Row>
PAIRLOSS_CORE std::int64_t merge_all(std::int64_t n, std::int64_t width, double* key, Row* row, double* spare_key,
                                     Row* spare_row) {
  std::int64_t turned = 0;
  double *from_key = key, *to_key = spare_key;
  Row *from_row = row, *to_row = spare_row;
  for (; width < n; width *= 2) {
    for (std::int64_t begin = 0; begin < n; begin += 2 * width) {
      const std::int64_t middle = n - begin < width ? n - begin : width;
      const std::int64_t end = n - begin < 2 * width ? n - begin : 2 * width;
      turned += merge(from_key + begin, from_row + begin, middle, end, to_key + begin, to_row + begin);
    }
    double* const merged_key = to_key;
    Row* const merged_row = to_row;
    to_key = from_key;
    to_row = from_row;
    from_key = merged_key;
    from_row = merged_row;
  }
  if (from_key != key) {
    for (std::int64_t p = 0; p < n; ++p) {
      key[p] = spare_key[p];
      row[p] = spare_row[p];
    }
  }
  return turned;
}

// Sort n keys in place, in descending order, equal keys in the order they have, and move `row` with them. Returns the
// number of pairs that stood the other way, the smaller key first.
template <class Row>
PAIRLOSS_CORE std::int64_t sort(std::int64_t n, double* key, Row* row, double* spare_key, Row* spare_row) {
  std::int64_t turned = 0;
  for (std::int64_t begin = 0; begin < n; begin += kSortChunk) {
    const std::int64_t size = n - begin < kSortChunk ? n - begin : kSortChunk;
    for (std::int64_t p = 0; p < size; p += kInsertionWidth) {
      const std::int64_t width = size - p < kInsertionWidth ? size - p : kInsertionWidth;
      turned += insertion_sort(width, key + begin + p, row + begin + p);
    }
    turned += merge_all(size, kInsertionWidth, key + begin, row + begin, spare_key, spare_row);
  }
  return turned + merge_all(n, kSortChunk, key, row, spare_key, spare_row);
}

}  // namespace pairloss
