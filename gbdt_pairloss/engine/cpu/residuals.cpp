// The squared differences of residuals over all pairs of rows of a query, in O(n).
//
// With e = s / T - t, winner weights w and loser weights v, a row i sums over the rows j of its query
//
//     loss       w_i sum_j v_j (e_i - e_j)^2  =  w_i (V (e_i - m)^2 + sum_j v_j (e_j - m)^2)
//     gradient   2 / T (w_i V (e_i - m) + v_i W (e_i - m'))                  m, m': means of e weighted by v and by w
//     Hessian    2 / T^2 (w_i (V - v_i) + v_i (W - w_i))
//
// where W and V are the sums of w and v. Residuals are relative to that of a row that counts, and centred before they
// are multiplied: only their differences matter, which may be small.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <vector>

#include "arrays.h"
#include "bound_plan.h"
#include "module.h"
#include "pool.h"
#include "reading.h"
#include "threads.h"

namespace nb = nanobind;

namespace pairloss {
namespace {

// The least rows of a task: about half a millisecond.
constexpr std::int64_t kPerTask = 1 << 17;

template <class Real>
struct Call {
  const Plan& plan;
  const double* target;
  Scores scores;
  double temperature, hessian_scale;
  const double* factor;  // of the queries
  bool is_loss;
  bool adds;             // to what the results hold
  Real *first, *second;  // of the caller's rows
};

// The memory of a task.
template <class Real>
struct Workspace {
  Buffer<double> residual, first, second;
  Buffer<Real> scaled;

  void reserve(std::size_t n) {
    residual.reserve(n);
    first.reserve(n);
    second.reserve(n);
    scaled.reserve(2 * n);
  }
};

// The sum of a weight, that of the residuals times the weight, and their ratio.
struct Mean {
  double total, moment, value;
};

// `weight` may be null: 1.
Mean mean_of(int n, const double* e, const double* weight) {
  double total = 0, moment = 0;
  if (weight == nullptr) {
#pragma omp simd reduction(+ : moment)
    for (int p = 0; p < n; ++p) moment += e[p];
    total = n;
  } else {
#pragma omp simd reduction(+ : total, moment)
    for (int p = 0; p < n; ++p) {
      total += weight[p];
      moment += weight[p] * e[p];
    }
  }
  return {total, moment, total > 0 ? moment / total : 0.0};
}

// Add scale own_i (o_i e_i - o'_i) to `first` and scale own_i o_i to `second`, where o_i and o'_i are the sums of the
// other rows' `others` and of these times e. They are summed from both ends: a large weight of a row must not cost the
// others their digits.
void add_sums_over_others(int n, const double* own, const double* others, const double* e, double scale, double* first,
                          double* second) {
  const auto sweep = [&](int begin, int end, int step) {
    double weight = 0, moment = 0;
    for (int p = begin; p != end; p += step) {
      first[p] += scale * own[p] * (weight * e[p] - moment);
      second[p] += scale * own[p] * weight;
      weight += others[p];
      moment += others[p] * e[p];
    }
  };
  sweep(0, n, 1);
  sweep(n - 1, -1, -1);
}

template <class Real>
class Query {
 public:
  Query(const Call<Real>& call, std::int64_t query, Workspace<Real>& work)
      : call_(call), query_(query), rows_(call.plan.rows(query)), work_(work) {}

  // Sum the query and write its results. Returns whether they are finite.
  bool sum() {
    if (!rows_.is_weighted() && !call_.is_loss) return sum_plain_derivatives();
    const int n = rows_.n;
    work_.reserve(static_cast<std::size_t>(n));
    read(0, n);
    if (rows_.is_weighted()) centre();
    if (call_.is_loss) {
      sum_losses();
    } else {
      sum_derivatives();
    }
    return write(0, n);
  }

 private:
  // Rows that are read, summed and written at a time: they stay in the cache.
  static constexpr int kChunk = 2048;

  // e = the residuals of some rows, relative to that of the heaviest row.
  void read(int begin, int end) {
    const int n = end - begin, heaviest = heaviest_row();
    const std::int64_t at = call_.plan.ptr[query_];
    double score, *e = work_.residual.get();
    gather(call_.scores, call_.plan.row, at + heaviest, 1, false, &score);
    gather(call_.scores, call_.plan.row, at + begin, n, false, e);
    const double *target = call_.target + at + begin, label = call_.target[at + heaviest];
    const double temperature = call_.temperature;
    if (temperature == 1) {
      for (int p = 0; p < n; ++p) e[p] = (e[p] - score) - (target[p] - label);
    } else {
      for (int p = 0; p < n; ++p) e[p] = (e[p] - score) / temperature - (target[p] - label);
    }
    if (!rows_.is_weighted()) return;
    for (int p = 0; p < n; ++p) {
      if (rows_.winner_weight[begin + p] == 0 && rows_.loser_weight[begin + p] == 0) e[p] = 0;
    }
  }

  void centre() {
    double* e = work_.residual.get();
    const Mean of_w = mean_of(rows_.n, e, rows_.winner_weight), of_v = mean_of(rows_.n, e, rows_.loser_weight);
    const double middle = of_w.total > 0 ? of_w.value : of_v.value;
    for (int p = 0; p < rows_.n; ++p) e[p] -= middle;
  }

  // Write the sums of some rows times the factor of the query. Returns whether the results are finite.
  bool write(int begin, int end) {
    const int n = end - begin;
    const double factor = call_.factor[query_], t = call_.temperature;
    const Factors factors =
        call_.is_loss ? Factors{factor, factor} : Factors{factor / t, factor / t * call_.hessian_scale / t};
    if (call_.adds) return add_to_results(begin, n, factors);
    Real* scaled = work_.scaled.get();
    return scatter(work_.first.get(), work_.second.get(), factors, call_.plan.row, call_.plan.ptr[query_] + begin, n,
                   false, scaled, scaled + n, call_.first, call_.second);
  }

  bool add_to_results(int begin, int n, const Factors& factors) {
    const double *first = work_.first.get(), *second = work_.second.get();
    constexpr Real largest = std::numeric_limits<Real>::max();
    std::int32_t beyond = 0;
    with_row_numbers(call_.plan.row, call_.plan.ptr[query_] + begin, [&](const auto* number) {
      for (int i = 0; i < n; ++i) {
        Real &a = call_.first[number[i]], &b = call_.second[number[i]];
        a += static_cast<Real>(first[i] * factors.first);
        b += static_cast<Real>(second[i] * factors.second);
        beyond += !(std::fabs(a) <= largest) | !(std::fabs(b) <= largest);
      }
    });
    return beyond == 0;
  }

  // Without row weights: two passes over chunks of the rows, for the mean and for the results.
  bool sum_plain_derivatives() {
    const int n = rows_.n;
    const double per_row = 4.0 * n, others = 4.0 * (n - 1.0);
    work_.reserve(static_cast<std::size_t>(std::min(n, kChunk)));
    const double* e = work_.residual.get();
    double *first = work_.first.get(), *second = work_.second.get(), total = 0;
    for (int begin = 0; begin < n; begin += kChunk) {
      const int end = std::min(n - begin, kChunk) + begin;
      read(begin, end);
      total += mean_of(end - begin, e, nullptr).moment;
    }
    bool finite = true;
    for (int begin = 0; begin < n; begin += kChunk) {
      const int end = std::min(n - begin, kChunk) + begin;
      if (n > kChunk) read(begin, end);
      for (int p = 0; p < end - begin; ++p) {
        first[p] = per_row * (e[p] - total / n);
        second[p] = others;
      }
      finite &= write(begin, end);
    }
    return finite;
  }

  int heaviest_row() const {
    int heaviest = 0;
    for (int p = 1; p < rows_.n && rows_.is_weighted(); ++p) {
      if (weight_of(p) > weight_of(heaviest)) heaviest = p;
    }
    return heaviest;
  }

  double weight_of(int p) const { return std::max(rows_.winner_weight[p], rows_.loser_weight[p]); }

  void sum_derivatives() {
    const int n = rows_.n;
    const double* e = work_.residual.get();
    double *first = work_.first.get(), *second = work_.second.get();
    std::fill_n(first, n, 0.0);
    std::fill_n(second, n, 0.0);
    add_sums_over_others(n, rows_.winner_weight, rows_.loser_weight, e, 2, first, second);
    add_sums_over_others(n, rows_.loser_weight, rows_.winner_weight, e, 2, first, second);
  }

  void sum_losses() {
    const int n = rows_.n;
    const double *e = work_.residual.get(), *w = rows_.winner_weight, *v = rows_.loser_weight;
    double *first = work_.first.get(), *second = work_.second.get();
    const Mean of_v = mean_of(n, e, v);
    double spread = 0;
    for (int p = 0; p < n; ++p) spread += (v == nullptr ? 1 : v[p]) * (e[p] - of_v.value) * (e[p] - of_v.value);
    std::fill_n(second, n, n - 1.0);
    if (rows_.is_weighted()) {
      std::fill_n(first, n, 0.0);
      std::fill_n(second, n, 0.0);
      add_sums_over_others(n, w, v, e, 1, first, second);
    }
    for (int p = 0; p < n; ++p) {
      const double own = e[p] - of_v.value;
      first[p] = (w == nullptr ? 1 : w[p]) * (of_v.total * own * own + spread);
    }
  }

  const Call<Real>& call_;
  const std::int64_t query_;
  const Rows rows_;
  Workspace<Real>& work_;
};

template <class Real>
bool sum_queries(const Call<Real>& call, int n_threads) {
  const Plan& plan = call.plan;
  Team team(n_threads);
  const std::int64_t n_tasks = std::max<std::int64_t>(1, plan.n_positions / kPerTask);
  const std::vector<std::int64_t> bounds = plan.equal_ranges(n_tasks);
  std::atomic<bool> finite{true};
  Pool<Workspace<Real>> pool;
  team.run(n_tasks, [&](std::int64_t task) {
    pool.with([] { return std::make_unique<Workspace<Real>>(); },
              [&](Workspace<Real>& work) {
                const std::size_t k = static_cast<std::size_t>(task);
                for (std::int64_t query = bounds[k]; query < bounds[k + 1]; ++query) {
                  if (plan.size(query) > 0 && !Query<Real>(call, query, work).sum()) finite = false;
                }
              });
  });
  return finite;
}

template <class Real, class Score>
bool add_residual(const BoundPlan& bound, In<double> targets, In<Score> scores, double temperature,
                  double hessian_scale, In<double> factors, bool is_loss, bool adds, Out<Real> first, Out<Real> second,
                  int n_threads) {
  const std::size_t n_rows = static_cast<std::size_t>(bound.plan.n_rows);
  if (scores.size() != n_rows || first.size() != n_rows || second.size() != n_rows ||
      targets.size() != static_cast<std::size_t>(bound.plan.n_positions) ||
      factors.size() != static_cast<std::size_t>(bound.plan.n_queries)) {
    throw std::invalid_argument("scores, targets, factors and results must have an entry for each row, or query");
  }
  const Call<Real> call{bound.plan, targets.data(), scores_of(scores), temperature,  hessian_scale, factors.data(),
                        is_loss,    adds,           first.data(),      second.data()};
  const nb::gil_scoped_release released;
  return sum_queries(call, n_threads);
}

template <class Real, class Score>
void bind_add(nb::module_& module) {
  module.def("add_residual", &add_residual<Real, Score>, nb::arg("plan"), nb::kw_only(), nb::arg("targets").noconvert(),
             nb::arg("scores").noconvert(), nb::arg("temperature"), nb::arg("hessian_scale"),
             nb::arg("factors").noconvert(), nb::arg("is_loss"), nb::arg("adds"), nb::arg("first").noconvert(),
             nb::arg("second").noconvert(), nb::arg("n_threads"));
}

}  // namespace

void bind_residuals(nb::module_& module) {
  bind_add<float, float>(module);
  bind_add<float, double>(module);
  bind_add<double, float>(module);
  bind_add<double, double>(module);
}

}  // namespace pairloss
