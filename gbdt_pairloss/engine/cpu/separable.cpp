// The sums of the separable losses over all ordered pairs: hinge, squared and exponential. All are in float64.
//
// This file is compiled without contraction of products and sums: the sweeps and the walks rely on differences of equal
// terms, which are 0.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "arrays.h"
#include "bound_plan.h"
#include "buffer.h"
#include "hinge_query.h"
#include "module.h"
#include "moments.h"
#include "pool.h"
#include "threads.h"

namespace nb = nanobind;

namespace pairloss {
namespace {

enum class Loss { kHinge, kSquared, kExponential };

// The least number of rows of a task.
constexpr std::int64_t kRowsPerTask = 20000;

// What is asked for, and where it goes.
struct Call {
  const Plan& plan;
  Loss loss;
  double temperature, margin, hessian_scale;
  Scores scores;
  double* first;        // of the caller's rows: sums of l' / T, or of the losses of winners
  double* second;       // of l'' / T^2; null if the losses are asked for
  double* lambda_sums;  // of the queries: of phi |l'| / T; null if they are not asked for

  bool is_loss() const { return second == nullptr; }
};

// The memory of a task: for the scores of a query and its sums, by position.
struct Workspace {
  Buffer<double> scores, places, inverse, first, second;
  RankedRows ranked;

  void reserve(int n) {
    for (Buffer<double>* buffer : {&scores, &places, &inverse, &first, &second})
      buffer->reserve(static_cast<std::size_t>(n));
  }
};

// The sums of one query. A query of more than kShared rows is shared by the threads of the team.
class Query {
 public:
  Query(const Call& call, std::int64_t query, Workspace& workspace, Team& team)
      : call_(call), query_(query), rows_(call.plan.rows(query)), team_(team), workspace_(workspace) {
    workspace.reserve(rows_.n);
  }

  void sum() {
    if (rows_.n == 0 || rows_.has_one_label(0, rows_.n)) return;
    read();
    if (rows_.is_weighted()) {
      rows_.has_values() ? sum_charges<true, true>() : sum_charges<true, false>();
    } else {
      rows_.has_values() ? sum_charges<false, true>() : sum_charges<false, false>();
    }
    write();
  }

 private:
  double* scores() const { return workspace_.scores.get(); }
  double* places() const { return workspace_.places.get(); }
  double* inverse() const { return workspace_.inverse.get(); }
  double* first() const { return workspace_.first.get(); }
  double* second() const { return workspace_.second.get(); }

  // Call function(begin, end) for the rows, in chunks if the threads share them.
  template <class Function>
  void for_rows(const Function& function) const {
    if (rows_.n <= kShared) return function(0, rows_.n);
    team_.run((rows_.n + kWalkChunk - 1) / kWalkChunk, [&](std::int64_t chunk) {
      const int begin = static_cast<int>(chunk) * kWalkChunk;
      function(begin, std::min(begin + kWalkChunk, rows_.n));
    });
  }

  // Whether a row is in a pair, in a role in which it has a weight.
  bool counts(int k) const {
    if (!rows_.is_weighted()) return true;
    return (rows_.winner_weight[k] > 0 && rows_.run_end[k] < rows_.n) ||
           (rows_.loser_weight[k] > 0 && rows_.run_begin[k] > 0);
  }

  // Read the scores, and for the moments the scores over the temperature, counted from the mean of those that count: an
  // outlier of weight 0 must not cost the others their digits.
  void read() {
    const std::int64_t at = call_.plan.ptr[query_];
    int n_counting = 0;
    for (int k = 0; k < rows_.n; ++k) n_counting += counts(k);
    std::vector<double> means(static_cast<std::size_t>(rows_.n / kWalkChunk) + 1);
    for_rows([&](int begin, int end) {
      with_row_numbers(call_.plan.row, at, [&](const auto* row) {
        with_scores(call_.scores, [&](const auto* score) {
          // Of scores whose sum may be beyond float64.
          double mean = 0.0;
          const double share = 1.0 / std::max(n_counting, 1);
          for (int k = begin; k < end; ++k) {
            scores()[k] = static_cast<double>(score[row[k]]);
            if (counts(k)) mean += scores()[k] * share;
          }
          means[static_cast<std::size_t>(begin / kWalkChunk)] = mean;
        });
      });
    });
    centre_ = 0.0;
    for (const double mean : means) centre_ += mean;
    for_rows([&](int begin, int end) {
      if (call_.loss != Loss::kHinge) {
        for (int k = begin; k < end; ++k) places()[k] = (scores()[k] - centre_) / call_.temperature;
      } else {
        std::fill(first() + begin, first() + end, 0.0);
        std::fill(second() + begin, second() + end, 0.0);
      }
    });
  }

  void write() const {
    const std::int64_t at = call_.plan.ptr[query_];
    const double scale = call_.is_loss() ? 1.0 : 1.0 / call_.temperature;
    const double scale_second = call_.hessian_scale / call_.temperature;
    for_rows([&](int begin, int end) {
      with_row_numbers(call_.plan.row, at, [&](const auto* row) {
        for (int k = begin; k < end; ++k) call_.first[row[k]] = first()[k] * scale;
        if (call_.is_loss()) return;
        for (int k = begin; k < end; ++k) call_.second[row[k]] = second()[k] * scale * scale_second;
      });
    });
  }

  template <bool kWeighted, bool kValued>
  void sum_charges() {
    using Own = Charges<kWeighted, kValued>;
    const Rows plain = rows_.unweighted();
    const Charges<false, kValued> plain_charges(plain);
    double lambda_sum = 0.0;
    if (call_.loss == Loss::kHinge) {
      lambda_sum = sum_hinge<Own>();
    } else if (call_.loss == Loss::kSquared) {
      const Squared<Own> squared{rows_, Own(rows_), places(), call_.margin, team_};
      double total = sum_walk(squared);
      if (call_.lambda_sums != nullptr) {
        if (kWeighted)
          total = Squared<Charges<false, kValued>>{plain, plain_charges, places(), call_.margin, team_}.total();
        // |l'| = 2 |margin - d| = 2 (2 max(margin - d, 0) - (margin - d))
        const double inside =
            hinge<Charges<false, kValued>, HingeSums::kTotal>(plain, places(), 1.0, 0.0, nullptr, nullptr);
        lambda_sum = 2.0 * std::max(2.0 * inside - total, 0.0);
      }
    } else {
      lambda_sum = is_narrow() ? sum_exponential<Own>(plain,
                                                      [&](const Rows& rows, auto charges) {
                                                        return NarrowExponential<decltype(charges)>{
                                                            rows, charges, places(), inverse(), team_};
                                                      })
                               : sum_exponential<Own>(plain, [&](const Rows& rows, auto charges) {
                                   return Exponential<decltype(charges)>{rows, charges, places(), team_};
                                 });
    }
    if (call_.lambda_sums != nullptr) call_.lambda_sums[query_] = lambda_sum / call_.temperature;
  }

  // Whether no place is beyond kNarrow. If so, the places become their exponentials.
  bool is_narrow() {
    for (int k = 0; k < rows_.n; ++k) {
      if (!(std::abs(places()[k]) <= kNarrow)) return false;
    }
    double *const e = places(), *const inverse_e = inverse();
    for_rows([&](int begin, int end) {
#pragma omp simd
      for (int k = begin; k < end; ++k) {
        e[k] = exponential_of(e[k]);
        inverse_e[k] = 1.0 / e[k];
      }
    });
    return true;
  }

  // `make(rows, charges)` is the exponential loss of rows.
  template <class Own, class Make>
  double sum_exponential(const Rows& plain, const Make& make) {
    const double lambda_sum = sum_walk(make(rows_, Own(rows_)));
    if (!Own::kHasWeights || call_.lambda_sums == nullptr) return lambda_sum;
    return make(plain, Charges<false, Own::kHasValues>(plain)).total();
  }

  template <class Walked>
  double sum_walk(const Walked& walked) const {
    if (!call_.is_loss()) return walked.slopes(first(), second());
    walked.losses(first());
    return 0.0;
  }

  template <class Own>
  double sum_hinge() {
    if (call_.is_loss()) {
      return hinge<Own, HingeSums::kLosses>(rows_, scores(), call_.temperature, centre_, first(), second());
    }
    return hinge<Own, HingeSums::kSlopes>(rows_, scores(), call_.temperature, centre_, first(), second());
  }

  template <class Own, HingeSums kSums>
  double hinge(const Rows& rows, const double* scores, double temperature, double centre, double* first,
               double* second) {
    const HingeSweep<Own, kSums> sweep(rows, temperature, call_.margin, centre, first, second);
    return HingeQuery<Own, kSums>(rows, scores, sweep, workspace_.ranked, team_).sum();
  }

  const Call& call_;
  std::int64_t query_;
  const Rows rows_;
  Team& team_;
  Workspace& workspace_;
  double centre_ = 0.0;
};

// Sum all queries: ranges of about equal numbers of rows side by side, and large queries one after the other.
void sum_queries(const Call& call, int n_threads) {
  const Plan& plan = call.plan;
  Team team(n_threads);
  const std::int64_t most = team.size() == 1 ? 1 : kTasksPerThread * team.size();
  const std::int64_t n_tasks = std::min(most, 1 + plan.n_positions / kRowsPerTask);
  const std::vector<std::int64_t> bounds = plan.equal_ranges(n_tasks);
  Pool<Workspace> pool;
  team.run(n_tasks, [&](std::int64_t task) {
    pool.with([] { return std::make_unique<Workspace>(); },
              [&](Workspace& workspace) {
                const std::size_t k = static_cast<std::size_t>(task);
                for (std::int64_t query = bounds[k]; query < bounds[k + 1]; ++query) {
                  if (plan.size(query) <= kShared) Query(call, query, workspace, team).sum();
                }
              });
  });
  Workspace workspace;
  for (std::int64_t query = 0; query < plan.n_queries; ++query) {
    if (plan.size(query) > kShared) Query(call, query, workspace, team).sum();
  }
}

// A loss as Python makes it.
struct SeparableLoss {
  int number;  // of the values of Loss
  double temperature, margin, hessian_scale;
};

template <class Score>
void add_separable(const BoundPlan& bound, const SeparableLoss& loss, In<Score> scores, Out<double> first,
                   std::optional<Out<double>> second, std::optional<Out<double>> lambda_sums, int n_threads) {
  const std::size_t n_rows = static_cast<std::size_t>(bound.plan.n_rows);
  if (scores.size() != n_rows || first.size() != n_rows || (second && second->size() != n_rows) ||
      (lambda_sums && lambda_sums->size() != static_cast<std::size_t>(bound.plan.n_queries))) {
    throw std::invalid_argument("scores and results must have an entry for each row, or query, of the plan");
  }
  const Call call{bound.plan,
                  static_cast<Loss>(loss.number),
                  loss.temperature,
                  loss.margin,
                  loss.hessian_scale,
                  scores_of(scores),
                  first.data(),
                  second ? second->data() : nullptr,
                  lambda_sums ? lambda_sums->data() : nullptr};
  const nb::gil_scoped_release released;
  sum_queries(call, n_threads);
}

template <class Score>
void bind_add(nb::module_& module) {
  module.def("add_separable", &add_separable<Score>, nb::arg("plan"), nb::arg("loss"), nb::kw_only(),
             nb::arg("scores").noconvert(), nb::arg("first").noconvert(), nb::arg("second").none().noconvert(),
             nb::arg("lambda_sums").none().noconvert(), nb::arg("n_threads"));
}

}  // namespace

void bind_separable(nb::module_& module) {
  nb::class_<SeparableLoss>(module, "SeparableLoss")
      .def("__init__", [](SeparableLoss* self, int number, double temperature, double margin, double hessian_scale) {
        new (self) SeparableLoss{number, temperature, margin, hessian_scale};
      });
  bind_add<float>(module);
  bind_add<double>(module);
}

}  // namespace pairloss
