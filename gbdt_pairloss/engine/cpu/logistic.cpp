// The sums of the logistic loss over all ordered pairs: what Python calls.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "arrays.h"
#include "bound_plan.h"
#include "large.h"
#include "module.h"
#include "pool.h"
#include "small.h"
#include "threads.h"

namespace nb = nanobind;

namespace pairloss {
namespace {

// The ns that further threads must save to be used. The threads of a booster spin for some ms after their work, on the
// cores that the threads of this engine need: in a training on two cores a second thread does not shorten 4 ms of work.
constexpr double kWorthThreads = 2.5e6;

// The least work of a thread, in ns.
constexpr double kPerThread = 5e5;

// About what a query costs in ns. A row costs about the same in every query; small queries are summed pair by pair.
double cost_of(double n, double n_pairs, bool is_exchange) {
  return is_exchange ? 60 * n + std::min(0.4 * n_pairs, 500 * n) : 4 * n + std::min(0.17 * n_pairs, 60 * n);
}

bool is_shared(const Plan& plan, const DeltaNDCG* delta, std::int64_t query) {
  const int n = plan.size(query);
  return n > kLarge && (delta == nullptr || delta->covers(n));
}

// Ranges of queries that one task sums, of decreasing cost, so that the threads end at about the same time.
std::vector<std::int64_t> ranges_of_queries(const Plan& plan, const DeltaNDCG* delta, int n_threads) {
  const std::int64_t n_queries = plan.n_queries;
  double total = 0;
  const auto cost = [&](std::int64_t query) {
    const double n = plan.size(query);
    return is_shared(plan, delta, query) ? 0.0 : cost_of(n, 0.35 * n * n, delta != nullptr);
  };
  std::vector<std::int64_t> bounds{0};
  if (n_threads > 1) {
    for (std::int64_t query = 0; query < n_queries; ++query) total += cost(query);
    const int n = std::min<int>(n_threads, 1 + static_cast<int>(total / kPerThread));
    const int n_tasks = total * (1 - 1.0 / n) > kWorthThreads ? kTasksPerThread * n : 1;
    double before = 0;
    int task = 1;
    for (std::int64_t query = 0; query < n_queries && task < n_tasks; ++query) {
      const double left = 1 - static_cast<double>(task) / n_tasks;
      if (before >= (1 - left * left) * total && query > bounds.back()) {
        bounds.push_back(query);
        ++task;
      }
      before += cost(query);
    }
  }
  bounds.push_back(n_queries);
  return bounds;
}

template <class Real>
bool sum_queries(const Call<Real>& call, int n_threads) {
  const Plan& plan = call.plan;
  Team team(n_threads);
  const std::vector<std::int64_t> bounds = ranges_of_queries(plan, call.delta, n_threads);
  std::vector<std::int64_t> shared;
  for (std::int64_t query = 0; query < plan.n_queries; ++query) {
    if (is_shared(plan, call.delta, query)) shared.push_back(query);
  }
  std::atomic<bool> finite{true};
  Pool<SmallQueries<Real>> pool;
  team.run(static_cast<std::int64_t>(bounds.size()) - 1, [&](std::int64_t task) {
    pool.with([&] { return std::make_unique<SmallQueries<Real>>(call); },
              [&](SmallQueries<Real>& queries) {
                const std::size_t k = static_cast<std::size_t>(task);
                for (std::int64_t query = bounds[k]; query < bounds[k + 1]; ++query) {
                  if (!is_shared(plan, call.delta, query) && !queries.sum(query)) finite = false;
                }
              });
  });
  for (const std::int64_t query : shared) {
    plan.large.with([] { return std::make_unique<LargeMemory>(); },
                    [&](LargeMemory& memory) {
                      if (!LargeQuery<Real>(call, query, team, memory).sum()) finite = false;
                    });
  }
  return finite;
}

// What Python holds: pointers, and the arrays that they point into.

struct BoundSum {
  FastSum sum;
  std::vector<nb::object> arrays;
};

struct BoundDelta {
  DeltaNDCG delta;
  std::vector<nb::object> arrays;
};

template <class Run>
void count_from_query(const Plan& plan, const Run* run, Buffer<std::int32_t>& to) {
  to.reserve(static_cast<std::size_t>(plan.n_positions));
  for (std::int64_t query = 0; query < plan.n_queries; ++query) {
    for (std::int64_t p = plan.ptr[query]; p < plan.ptr[query + 1]; ++p) {
      to[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(run[p] - plan.ptr[query]);
    }
  }
}

template <class Index>
void make_plan(BoundPlan* self, std::int64_t n_rows, In<Index> row, In<std::int64_t> ptr, In<Index> run_begin,
               In<Index> run_end, std::optional<In<double>> winner_weight, std::optional<In<double>> loser_weight,
               std::optional<In<double>> value) {
  new (self) BoundPlan();
  Plan& plan = self->plan;
  plan.n_rows = n_rows;
  plan.n_positions = static_cast<std::int64_t>(row.size());
  plan.n_queries = static_cast<std::int64_t>(ptr.size()) - 1;
  plan.ptr = kept(ptr, self->arrays);
  for (std::int64_t query = 0; query < plan.n_queries; ++query) {
    if (plan.ptr[query + 1] - plan.ptr[query] > std::numeric_limits<std::int32_t>::max() - kPadding) {
      throw std::invalid_argument("a query has more rows than 2^31 - 17, the most that the core supports");
    }
  }
  if constexpr (sizeof(Index) == 4) {
    plan.row.narrow = kept(row, self->arrays);
  } else {
    plan.row.wide = kept(row, self->arrays);
  }
  plan.winner_weight = kept(winner_weight, self->arrays);
  plan.loser_weight = kept(loser_weight, self->arrays);
  plan.value = kept(value, self->arrays);
  count_from_query(plan, run_begin.data(), plan.run_begin);
  count_from_query(plan, run_end.data(), plan.run_end);
  plan.n_winners.reserve(static_cast<std::size_t>(plan.n_queries));
  plan.n_losers.reserve(static_cast<std::size_t>(plan.n_queries));
  for (std::int64_t query = 0; query < plan.n_queries; ++query) {
    const Rows rows = plan.rows(query);
    const std::size_t q = static_cast<std::size_t>(query);
    plan.n_winners[q] = rows.n == 0 ? 0 : rows.run_begin[rows.n - 1];
    plan.n_losers[q] = rows.n == 0 ? 0 : rows.n - rows.run_end[0];
  }
}

void make_sum(BoundSum* self, In<double> kernels, In<double> rising, In<double> falling, int near, bool is_loss,
              In<std::int64_t> flows, int n_channels, int n_targets, int n_powers) {
  new (self) BoundSum();
  FastSum& sum = self->sum;
  sum.expansion = {kept(kernels, self->arrays), kept(rising, self->arrays), kept(falling, self->arrays), near, is_loss};
  for (std::size_t k = 0; k < flows.size(); k += 7) {
    int entries[7];
    std::copy_n(flows.data() + k, 7, entries);
    sum.flows.push_back({entries[0], entries[1], entries[2], entries[3], entries[4], entries[5], entries[6]});
  }
  sum.n_channels = n_channels;
  sum.n_targets = n_targets;
  sum.n_powers = n_powers;
  sum.is_signed = n_powers == 4;
}

void make_delta(BoundDelta* self, std::int64_t truncation, double base, double slope, In<double> per_ideal,
                In<double> discounts, const BoundSum& unit, double noise, std::uint64_t seed) {
  new (self) BoundDelta();
  self->delta = {truncation,
                 base,
                 slope,
                 kept(per_ideal, self->arrays),
                 kept(discounts, self->arrays),
                 static_cast<int>(discounts.size()),
                 &unit.sum,
                 {noise, seed}};
}

template <class Real, class Score>
bool add_logistic(const BoundPlan& bound, const BoundSum& sum, const BoundDelta* delta, In<Score> scores,
                  double temperature, int normalizer, double hessian_scale, bool counts_phi,
                  std::optional<In<double>> query_weight, Out<Real> first, Out<Real> second, Out<double> lambda_sums,
                  Out<double> phi_sums, Out<std::uint8_t> status, int n_threads) {
  const std::size_t n_rows = static_cast<std::size_t>(bound.plan.n_rows);
  const std::size_t n_queries = static_cast<std::size_t>(bound.plan.n_queries);
  if (scores.size() != n_rows || first.size() != n_rows || second.size() != n_rows) {
    throw std::invalid_argument("scores and results must have an entry for each row of the plan");
  }
  if (lambda_sums.size() != n_queries || phi_sums.size() != n_queries || status.size() != n_queries ||
      (query_weight && query_weight->size() != n_queries)) {
    throw std::invalid_argument("the arrays of queries must have an entry for each query of the plan");
  }
  const Request request{temperature, normalizer, hessian_scale, sum.sum.expansion.is_loss, counts_phi, &sum.sum};
  const Call<Real> call{bound.plan,
                        request,
                        delta == nullptr ? nullptr : &delta->delta,
                        scores_of(scores),
                        query_weight ? query_weight->data() : nullptr,
                        first.data(),
                        second.data(),
                        lambda_sums.data(),
                        phi_sums.data(),
                        status.data()};
  const nb::gil_scoped_release released;
  return sum_queries(call, n_threads);
}

template <class Real, class Score>
void bind_add(nb::module_& module) {
  module.def("add_logistic", &add_logistic<Real, Score>, nb::arg("plan"), nb::arg("sum"), nb::arg("delta").none(),
             nb::kw_only(), nb::arg("scores").noconvert(), nb::arg("temperature"), nb::arg("normalizer"),
             nb::arg("hessian_scale"), nb::arg("counts_phi"), nb::arg("query_weight").none().noconvert(),
             nb::arg("first").noconvert(), nb::arg("second").noconvert(), nb::arg("lambda_sums").noconvert(),
             nb::arg("phi_sums").noconvert(), nb::arg("status").noconvert(), nb::arg("n_threads"));
}

template <class Index>
void bind_plan(nb::class_<BoundPlan>& plan) {
  plan.def("__init__", &make_plan<Index>, nb::arg("n_rows"), nb::arg("row").noconvert(), nb::arg("ptr").noconvert(),
           nb::arg("run_begin").noconvert(), nb::arg("run_end").noconvert(),
           nb::arg("winner_weight").none().noconvert(), nb::arg("loser_weight").none().noconvert(),
           nb::arg("value").none().noconvert());
}

}  // namespace

void bind_logistic(nb::module_& module) {
  nb::class_<BoundPlan> plan(module, "Plan");
  bind_plan<std::int32_t>(plan);
  bind_plan<std::int64_t>(plan);
  nb::class_<BoundSum>(module, "FastSum").def("__init__", &make_sum);
  nb::class_<BoundDelta>(module, "DeltaNDCG").def("__init__", &make_delta, nb::keep_alive<1, 7>());
  bind_add<float, float>(module);
  bind_add<float, double>(module);
  bind_add<double, float>(module);
  bind_add<double, double>(module);
}

}  // namespace pairloss
