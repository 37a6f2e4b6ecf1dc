// The loops of the metrics: for every query one over the runs of its ranking, best first. metrics/_definition.py says
// what each computes and has the same functions in NumPy.
//
// This file is compiled without the contraction of products and sums: the DCG of a right order and the ideal DCG are
// sums of the same terms, and come to the same number.
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "../core/sorting.h"
#include "arrays.h"
#include "module.h"

namespace pairloss {
namespace {

namespace nb = nanobind;

using Rows = In<std::int64_t>;
using RankingArrays = std::tuple<Rows, Rows, Rows, Rows>;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

template <class T>
using Returned = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// An array that is returned to Python, which frees it. Entries are not set.
template <class T>
class NewArray {
 public:
  explicit NewArray(std::int64_t size) : data_(new T[size]) {}

  T& operator[](std::int64_t k) { return data_[k]; }

  // The first `size` entries.
  Returned<T> to_python(std::int64_t size) {
    T* const data = data_.get();
    const nb::capsule owner(data, [](void* pointer) noexcept { delete[] static_cast<T*>(pointer); });
    data_.release();
    return Returned<T>(data, {static_cast<std::size_t>(size)}, owner);
  }

 private:
  std::unique_ptr<T[]> data_;
};

// Positions [begin, end) whose rows have equal scores.
struct Run {
  std::int64_t begin, end;

  std::int64_t size() const { return end - begin; }
};

// The arrays of a Ranking (metrics/_definition.py).
struct Ranking {
  explicit Ranking(const RankingArrays& arrays)
      : row(std::get<0>(arrays).data()),
        ptr(std::get<1>(arrays).data()),
        run_ptr(std::get<2>(arrays).data()),
        first_run(std::get<3>(arrays).data()),
        n_queries(static_cast<std::int64_t>(std::get<1>(arrays).size()) - 1) {}

  Run run(std::int64_t number) const { return {run_ptr[number], run_ptr[number + 1]}; }

  const std::int64_t *row, *ptr, *run_ptr, *first_run;
  std::int64_t n_queries;
};

std::int64_t longest_query(const std::int64_t* ptr, std::int64_t n_queries) {
  std::int64_t longest = 0;
  for (std::int64_t q = 0; q < n_queries; ++q) longest = std::max(longest, ptr[q + 1] - ptr[q]);
  return longest;
}

std::int64_t count(const bool* hit, Run run) {
  std::int64_t total = 0;
  for (std::int64_t p = run.begin; p < run.end; ++p) total += hit[p];
  return total;
}

// The first run of a query with a relevant row, and the number of its relevant rows; 0 without one.
std::pair<Run, std::int64_t> first_hit(const Ranking& ranking, std::int64_t q, const bool* hit) {
  for (std::int64_t number = ranking.first_run[q]; number < ranking.first_run[q + 1]; ++number) {
    const Run run = ranking.run(number);
    const std::int64_t hits = count(hit, run);
    if (hits > 0) return {run, hits};
  }
  return {Run{0, 0}, 0};
}

// Call function(q) for every query, without the interpreter lock.
template <class Function>
void for_each_query(std::int64_t n_queries, const Function& function) {
  const nb::gil_scoped_release release;
  for (std::int64_t q = 0; q < n_queries; ++q) function(q);
}

// ----------------------------------------------------------------------------------------------- rows in order

std::tuple<Returned<std::int64_t>, Returned<std::int64_t>> sort_queries(const Rows& ptr_array,
                                                                        const Out<double>& key_array,
                                                                        const Out<std::int64_t>& row_array,
                                                                        bool average) {
  const std::int64_t* const ptr = ptr_array.data();
  double* const key = key_array.data();
  std::int64_t* const row = row_array.data();
  const std::int64_t n_queries = static_cast<std::int64_t>(ptr_array.size()) - 1;
  const std::int64_t n = static_cast<std::int64_t>(key_array.size());
  const std::int64_t longest = longest_query(ptr, n_queries);
  const std::unique_ptr<double[]> spare_key(new double[longest]);
  const std::unique_ptr<std::int64_t[]> spare_row(new std::int64_t[longest]);
  NewArray<std::int64_t> run_ptr(n + 1), first_run(n_queries + 1);
  std::int64_t n_runs = 0;
  run_ptr[0] = first_run[0] = 0;
  for_each_query(n_queries, [&](std::int64_t q) {
    const std::int64_t begin = ptr[q], end = ptr[q + 1];
    sort(end - begin, key + begin, row + begin, spare_key.get(), spare_row.get());
    std::int64_t runs = n_runs;
    for (std::int64_t p = begin; p < end; ++p) {
      run_ptr[runs + 1] = p + 1;  // the end of this run, and so the start of the next; overwritten if the run goes on
      runs += p + 1 == end || !average || key[p] != key[p + 1];
    }
    n_runs = runs;
    first_run[q + 1] = n_runs;
  });
  return {run_ptr.to_python(n_runs + 1), first_run.to_python(n_queries + 1)};
}

Returned<std::int64_t> gather_queries(const Rows& codes, const Rows& ptr) {
  const std::int64_t n = static_cast<std::int64_t>(codes.size());
  std::vector<std::int64_t> to(ptr.data(), ptr.data() + ptr.size() - 1);
  NewArray<std::int64_t> position(n);
  {
    const nb::gil_scoped_release release;
    for (std::int64_t p = 0; p < n; ++p) position[to[codes.data()[p]]++] = p;
  }
  return position.to_python(n);
}

// -------------------------------------------------------------------------------------------- metrics of ranks

Returned<double> dcg(const RankingArrays& arrays, const In<double>& gain_array, const In<double>& discount_array) {
  const Ranking ranking(arrays);
  const double *const gain = gain_array.data(), *const discount = discount_array.data();
  const std::int64_t n_discounts = static_cast<std::int64_t>(discount_array.size());
  NewArray<double> values(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    const std::int64_t start = ranking.ptr[q];
    double total = 0.0;
    for (std::int64_t number = ranking.first_run[q]; number < ranking.first_run[q + 1]; ++number) {
      const Run run = ranking.run(number);
      double run_gain = 0.0;
      for (std::int64_t p = run.begin; p < run.end; ++p) run_gain += gain[p];
      // Summed row by row, like the ideal DCG, so that NDCG of a right order of whole-number labels is exactly 1.
      const double expected = run_gain / static_cast<double>(run.size());
      const std::int64_t stop = std::min(run.end - start, n_discounts);
      for (std::int64_t rank = run.begin - start; rank < stop; ++rank) total += expected * discount[rank];
    }
    values[q] = total;
  });
  return values.to_python(ranking.n_queries);
}

Returned<double> err(const RankingArrays& arrays, const In<double>& stop_array, std::int64_t k) {
  const Ranking ranking(arrays);
  const double* const stop = stop_array.data();
  NewArray<double> values(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    const std::int64_t start = ranking.ptr[q], end = ranking.ptr[q + 1];
    const bool defined = std::any_of(stop + start, stop + end, [](double probability) { return probability > 0.0; });
    double total = 0.0, reach = 1.0;
    for (std::int64_t p = start; p < std::min(end, start + k); ++p) {
      total += reach * stop[p] / static_cast<double>(p - start + 1);
      reach *= 1.0 - stop[p];
    }
    values[q] = defined ? total : kUndefined;
  });
  return values.to_python(ranking.n_queries);
}

std::tuple<Returned<double>, Returned<std::int64_t>> average_precision(const RankingArrays& arrays, const In<bool>& hit,
                                                                       std::int64_t k) {
  const Ranking ranking(arrays);
  NewArray<double> values(ranking.n_queries);
  NewArray<std::int64_t> relevant(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    double total = 0.0;
    std::int64_t relevant_above = 0;
    for (std::int64_t number = ranking.first_run[q]; number < ranking.first_run[q + 1]; ++number) {
      const Run run = ranking.run(number);
      const std::int64_t hits = count(hit.data(), run);
      if (hits == 0) continue;
      // The row at rank above + 1 + offset is relevant with probability hits / m. If it is, then
      // offset (hits - 1) / (m - 1) relevant rows are expected above it within the run (McSherry and Najork 2008,
      // their equation for average precision).
      const std::int64_t m = run.size(), above = run.begin - ranking.ptr[q];
      const double share = static_cast<double>(hits) / static_cast<double>(m);
      const double more = static_cast<double>(hits - 1) / static_cast<double>(std::max<std::int64_t>(m - 1, 1));
      for (std::int64_t offset = 0; offset < std::min(m, k - above); ++offset) {
        const double expected = static_cast<double>(relevant_above + 1) + static_cast<double>(offset) * more;
        total += share * (expected / static_cast<double>(above + 1 + offset));
      }
      relevant_above += hits;
    }
    values[q] = total;
    relevant[q] = relevant_above;
  });
  return {values.to_python(ranking.n_queries), relevant.to_python(ranking.n_queries)};
}

Returned<double> reciprocal_rank(const RankingArrays& arrays, const In<bool>& hit, std::int64_t k) {
  const Ranking ranking(arrays);
  NewArray<double> values(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    const auto [run, hits] = first_hit(ranking, q, hit.data());
    if (hits == 0) {
      values[q] = kUndefined;
      return;
    }
    // P(the first relevant row of the run is at offset o) = C(m - o - 1, hits - 1) / C(m, hits). Each probability is
    // computed from the one before by their ratio.
    const std::int64_t m = run.size(), above = run.begin - ranking.ptr[q];
    double total = 0.0, probability = static_cast<double>(hits) / static_cast<double>(m);
    for (std::int64_t offset = 0; offset < std::min(m - hits + 1, k - above); ++offset) {
      total += probability / static_cast<double>(above + 1 + offset);
      probability *= static_cast<double>(m - hits - offset) / static_cast<double>(m - offset - 1);
    }
    values[q] = total;
  });
  return values.to_python(ranking.n_queries);
}

std::tuple<Returned<double>, Returned<std::int64_t>> expected_hits(const RankingArrays& arrays, const In<bool>& hit,
                                                                   std::int64_t k) {
  const Ranking ranking(arrays);
  NewArray<double> values(ranking.n_queries);
  NewArray<std::int64_t> relevant(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    double total = 0.0;
    std::int64_t all_hits = 0;
    for (std::int64_t number = ranking.first_run[q]; number < ranking.first_run[q + 1]; ++number) {
      const Run run = ranking.run(number);
      const std::int64_t hits = count(hit.data(), run);
      const std::int64_t top = std::max<std::int64_t>(std::min(run.end, ranking.ptr[q] + k) - run.begin, 0);
      // The product first: exact where the run lies within the first k.
      total += static_cast<double>(hits * top) / static_cast<double>(run.size());
      all_hits += hits;
    }
    values[q] = total;
    relevant[q] = all_hits;
  });
  return {values.to_python(ranking.n_queries), relevant.to_python(ranking.n_queries)};
}

Returned<double> hit_rate(const RankingArrays& arrays, const In<bool>& hit, std::int64_t k) {
  const Ranking ranking(arrays);
  NewArray<double> values(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    const auto [run, hits] = first_hit(ranking, q, hit.data());
    if (hits == 0) {
      values[q] = kUndefined;
      return;
    }
    // The probability that none of the run's ranks up to k holds one of its relevant rows: hypergeometric.
    const std::int64_t m = run.size(), top = std::min(m, ranking.ptr[q] + k - run.begin);
    double none = 1.0;
    for (std::int64_t offset = 0; offset < top && none > 0.0; ++offset) {
      const std::int64_t others = std::max<std::int64_t>(m - hits - offset, 0);
      none *= static_cast<double>(others) / static_cast<double>(m - offset);
    }
    values[q] = 1.0 - none;
  });
  return values.to_python(ranking.n_queries);
}

// -------------------------------------------------------------------------------- metrics of pairs and whole orders

std::int64_t pairs_of(std::int64_t n) { return n * (n - 1) / 2; }

// Count the pairs of different keys; equal keys are adjacent.
std::int64_t different_pairs(const double* key, std::int64_t n) {
  std::int64_t total = pairs_of(n), begin = 0;
  for (std::int64_t p = 1; p <= n; ++p) {
    if (p < n && key[p] == key[begin]) continue;
    total -= pairs_of(p - begin);
    begin = p;
  }
  return total;
}

// What moves with a key that is sorted where rows are not needed: nothing.
struct NoRow {};

// The method is Knight's ("A computer method for calculating Kendall's tau with ungrouped data", JASA 61, 1966): first
// each run is sorted by label, then the query. The pairs in the wrong order are those that the second sort exchanges.
std::tuple<Returned<double>, Returned<double>, Returned<double>> compare_pairs(const RankingArrays& arrays,
                                                                               const Out<double>& label_array) {
  const Ranking ranking(arrays);
  double* const label = label_array.data();
  const std::int64_t longest = longest_query(ranking.ptr, ranking.n_queries);
  const std::unique_ptr<double[]> spare(new double[longest]);
  std::vector<NoRow> none(longest), spare_none(longest);
  NewArray<double> right(ranking.n_queries), tied(ranking.n_queries), all(ranking.n_queries);
  for_each_query(ranking.n_queries, [&](std::int64_t q) {
    std::int64_t within_runs = 0;
    for (std::int64_t number = ranking.first_run[q]; number < ranking.first_run[q + 1]; ++number) {
      const Run run = ranking.run(number);
      if (run.size() < 2) continue;
      sort(run.size(), label + run.begin, none.data(), spare.get(), spare_none.data());
      within_runs += different_pairs(label + run.begin, run.size());
    }
    const std::int64_t n = ranking.ptr[q + 1] - ranking.ptr[q];
    double* const own = label + ranking.ptr[q];
    const std::int64_t wrong = sort(n, own, none.data(), spare.get(), spare_none.data());
    const std::int64_t pairs = different_pairs(own, n);
    right[q] = static_cast<double>(pairs - within_runs - wrong);
    tied[q] = static_cast<double>(within_runs);
    all[q] = static_cast<double>(pairs);
  });
  return {right.to_python(ranking.n_queries), tied.to_python(ranking.n_queries), all.to_python(ranking.n_queries)};
}

// Write each row's average rank less (n + 1) / 2, the mean rank of its query.
void centre_ranks(const Ranking& ranking, std::int64_t q, double* centred) {
  const double middle = 0.5 * static_cast<double>(ranking.ptr[q] + ranking.ptr[q + 1]);
  for (std::int64_t number = ranking.first_run[q]; number < ranking.first_run[q + 1]; ++number) {
    const Run run = ranking.run(number);
    const double value = 0.5 * static_cast<double>(run.begin + run.end) - middle;
    for (std::int64_t p = run.begin; p < run.end; ++p) centred[ranking.row[p]] = value;
  }
}

Returned<double> rank_correlation(const RankingArrays& label_arrays, const RankingArrays& score_arrays,
                                  std::int64_t n_rows) {
  const Ranking by_label(label_arrays), by_score(score_arrays);
  const std::unique_ptr<double[]> of_label(new double[n_rows]), of_score(new double[n_rows]);
  NewArray<double> values(by_label.n_queries);
  for_each_query(by_label.n_queries, [&](std::int64_t q) {
    centre_ranks(by_label, q, of_label.get());
    centre_ranks(by_score, q, of_score.get());
    double xy = 0.0, xx = 0.0, yy = 0.0;
    for (std::int64_t p = by_label.ptr[q]; p < by_label.ptr[q + 1]; ++p) {
      const double x = of_label[by_label.row[p]], y = of_score[by_label.row[p]];
      xy += x * y;
      xx += x * x;
      yy += y * y;
    }
    if (xx == 0.0) {
      values[q] = kUndefined;
    } else {
      values[q] = yy > 0.0 ? std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0) : 0.0;
    }
  });
  return values.to_python(by_label.n_queries);
}

}  // namespace

void bind_metrics(nb::module_& module) {
  using nb::arg;
  nb::module_ metrics = module.def_submodule("metrics", "The kernels of the metrics.");
  const auto ranking = arg("ranking").noconvert(), hit = arg("hit").noconvert();
  metrics.def("sort_queries", &sort_queries, arg("ptr").noconvert(), arg("key").noconvert(), arg("row").noconvert(),
              arg("average"));
  metrics.def("gather_queries", &gather_queries, arg("codes").noconvert(), arg("ptr").noconvert());
  metrics.def("dcg", &dcg, ranking, arg("gain").noconvert(), arg("discount").noconvert());
  metrics.def("err", &err, ranking, arg("stop").noconvert(), arg("k"));
  metrics.def("average_precision", &average_precision, ranking, hit, arg("k"));
  metrics.def("reciprocal_rank", &reciprocal_rank, ranking, hit, arg("k"));
  metrics.def("expected_hits", &expected_hits, ranking, hit, arg("k"));
  metrics.def("hit_rate", &hit_rate, ranking, hit, arg("k"));
  metrics.def("compare_pairs", &compare_pairs, ranking, arg("label").noconvert());
  metrics.def("rank_correlation", &rank_correlation, arg("by_label").noconvert(), arg("by_score").noconvert(),
              arg("n_rows"));
}

}  // namespace pairloss
