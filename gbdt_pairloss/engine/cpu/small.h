// Queries that one task sums, one after the other.
#pragma once

#include "by_rank.h"
#include "call.h"
#include "one_sided.h"
#include "ranking.h"
#include "spread.h"

namespace pairloss {

// Queries of more rows than this are summed one-sided with |delta NDCG|, or by their first ranks where that is less
// work.
constexpr int kOneSided = 1024;

// A task: the memory that it works in, and the sums of one query after the other.
template <class Real>
class SmallQueries {
 public:
  explicit SmallQueries(const Call<Real>& call) : call_(call) {}

  // Sum a query and write its results. Returns whether they are finite.
  bool sum(std::int64_t query) {
    const Rows rows = call_.plan.rows(query);
    if (rows.n == 0) return true;
    reserve(static_cast<std::size_t>(rows.n) + kRankPadding);
    return call_.delta == nullptr ? sum_separable(query, rows) : sum_exchanges(query, rows);
  }

 private:
  static constexpr int kTerms = kTermsOf<Real>;

  void reserve(std::size_t padded) {
    padded_ = padded;
    scaled_.reserve(2 * padded);
    x_.reserve(padded);
    if (call_.delta == nullptr) return;
    doubles_.reserve(7 * padded);
    orders_.reserve(3 * padded);
  }

  bool sum_separable(std::int64_t query, const Rows& rows) {
    columns_.reserve(rows.n);
    const Request& request = call_.request;
    if (!request.is_loss) {
      const std::size_t q = static_cast<std::size_t>(query);
      const Range range = Range::with_fewest_rows(0, rows.n, call_.plan.n_winners[q], call_.plan.n_losers[q]);
      if (is_direct(rows.n, range.n_rows)) return sum_direct(query, rows, range);
    }
    if (!read(query, rows)) return true;
    divide_by_temperature(rows.n);
    Real *first = scaled_.get(), *second = first + padded_;
    std::fill_n(first, rows.n, Real(0));
    std::fill_n(second, rows.n, Real(0));
    const DirectSum<Real> direct{rows, x_.get(), request.is_loss, columns_};
    panel_set_.find(x_.get(), rows.n, limits_.low, limits_.high);
    if (is_spread(rows.n, panel_set_.panels())) {
      call_.keep_lambda_sum(query,
                            sum_spread<kTerms>(rows, x_.get(), nullptr, *request.sum, direct, nullptr, first, second));
    } else {
      const double lambda_sum =
          sum_tree(rows, nullptr, *request.sum, costs_of_direct_sum(rows), nullptr, direct, first, second);
      call_.keep_lambda_sum(query, lambda_sum);
    }
    return write(query, first, second, call_.factors(query, 1), false, first, second);
  }

  // A query that is summed directly: its scores are read in the orientation of the sum, and its totals written.
  bool sum_direct(std::int64_t query, const Rows& rows, const Range& range) {
    gather(call_.scores, call_.plan.row, call_.plan.ptr[query], rows.n, range.mirrored, columns_.x);
    const Limits limits = limits_of(columns_.x, rows.n);
    const double temperature = call_.request.temperature;
    if (!takes(limits, temperature)) {
      call_.status[query] = kOutOfRange;
      return true;
    }
    call_.keep_lambda_sum(query, sum_oriented(range, limits.low, limits.high, temperature, rows, columns_));
    Factors factors = call_.factors(query, 1);
    if (!range.mirrored) factors.first = -factors.first;
    return write(query, columns_.total_r, columns_.total_t, factors, range.mirrored, columns_.e, columns_.weight);
  }

  bool sum_exchanges(std::int64_t query, const Rows& rows) {
    const Request& request = call_.request;
    const DeltaNDCG& delta = *call_.delta;
    const int n = rows.n;
    if (!read(query, rows)) return true;
    double *discount = doubles_.get(), *top = discount + padded_, *key = top + padded_, *spare_key = key + padded_;
    double *first = spare_key + padded_, *second = first + padded_, *place = second + padded_;
    const Ranking ranking{orders_.get(), orders_.get() + padded_};
    // It leaves the ranking in `ranking`, because more than kOneSided rows are sorted.
    static_assert(kOneSided >= kCounted);
    // The scores that are ranked, before the division by the temperature, which could make ties.
    with_row_numbers(call_.plan.row, call_.plan.ptr[query], [&](const auto* row) {
      if (delta.has_noise()) {
        add_rank_noise(n, x_.get(), row, delta.noise, place);
      } else {
        std::copy_n(x_.get(), n, place);
      }
      discounts(n, place, row, delta.truncation, delta.few, delta.n_few, ranking.order, ranking.spare, key, spare_key,
                discount, top);
    });
    // LightGBM does not divide by the distances then.
    const bool tied = delta.slope == 0 || is_constant(n, place);
    divide_by_temperature(n);
    std::fill_n(first, n, 0.0);
    std::fill_n(second, n, 0.0);
    const Exchange exchange_of{delta.truncation,
                               tied ? 1.0 : delta.base,
                               tied ? 0.0 : delta.slope,
                               discount,
                               delta.truncation >= n ? nullptr : top,
                               tied ? nullptr : place};
    const double per_ideal = delta.per_ideal[query];
    const bool counts_phi = request.counts_phi;
    double lambda_sum = 0, phi_sum = 0;
    if (n > kOneSided && delta.covers(n)) {
      if (counts_phi) {
        std::int32_t* kept = orders_.get() + 2 * padded_;
        std::copy_n(ranking.order, n, kept);
        sum_all_ranks(rows.unweighted(), exchange_of, *delta.unit, true, ranking, first, second);
        for (int p = 0; p < n; ++p) phi_sum += second[p];
        std::fill_n(first, n, 0.0);
        std::fill_n(second, n, 0.0);
        std::copy_n(kept, n, ranking.order);
      }
      lambda_sum = sum_all_ranks(rows, exchange_of, *request.sum, request.is_loss, ranking, first, second);
    } else if (n > kOneSided && 8 * delta.truncation < n) {
      const FirstRanks sums =
          sum_first_ranks(rows, x_.get(), exchange_of, ranking.order, request.is_loss, first, second);
      lambda_sum = sums.lambda_sum;
      phi_sum = sums.phi_sum;
    } else {
      columns_.reserve(n);
      const ExchangeSum<Real> direct{rows, x_.get(), request.is_loss, exchange_of, columns_};
      lambda_sum = direct.add(0, n, first, second);
      if (counts_phi) phi_sum = sum_of_phi(rows, exchange_of);
    }
    call_.keep_lambda_sum(query, per_ideal * lambda_sum);
    if (counts_phi) call_.phi_sums[query] = per_ideal * phi_sum;
    return write(query, first, second, call_.factors(query, per_ideal), false, scaled_.get(), scaled_.get() + padded_);
  }

  // All pairs of a query of many rows with |delta NDCG|. The ranking is used up.
  double sum_all_ranks(const Rows& rows, const Exchange& exchange_of, const FastSum& sum, bool is_loss,
                       const Ranking& ranking, double* first, double* second) {
    panel_set_.find(x_.get(), rows.n, limits_.low, limits_.high);
    if (call_.delta->has_noise()) {
      const auto one_by_one = [](std::int64_t n_tasks, const auto& task) {
        for (std::int64_t k = 0; k < n_tasks; ++k) task(k);
      };
      return RankedSum<Real>(rows, x_.get(), exchange_of, sum, is_loss, panel_set_)
          .add(ranking, one_by_one, first, second);
    }
    columns_.reserve(rows.n);
    const ExchangeSum<Real> direct{rows, x_.get(), is_loss, exchange_of, columns_};
    if (is_spread(rows.n, panel_set_.panels())) {
      return sum_spread<kTerms>(rows, x_.get(), exchange_of.discount, sum, direct, &ranking, first, second);
    }
    return sum_tree(rows, exchange_of.discount, sum, kOneSidedCosts, &ranking, direct, first, second);
  }

  template <class Direct, class Sum>
  double sum_tree(const Rows& rows, const double* discount, const FastSum& sum, const Costs& costs,
                  const Ranking* ranking, const Direct& direct, Sum* first, Sum* second) {
    const Panels panels = panel_set_.panels();
    if (panels.n == 0) return direct.add(0, rows.n, first, second);
    split(rows, panels.n, sum, costs, tree_);
    if (tree_.size() == 1) return rows.has_one_label(0, rows.n) ? 0 : direct.add(0, rows.n, first, second);
    const int n_nodes = static_cast<int>(tree_.size());
    const ExpandedQuery query{rows, x_.get(), discount, rows.value_centre(), panels};
    const Expander<kTerms> expander(query, sum, tree_);
    moments_.reserve(tree_.size(), sum.n_channels, expander.size_of_moments(panels));
    const int depth = depth_below(tree_, 0, n_nodes);
    sums_.reserve(static_cast<std::size_t>(depth) + 1, sum.n_targets, expander.size_of_sums(panels));
    sums_.clear(0);
    double* translated = translated_.reserve(expander.size_of_sums(panels));
    expander.gather_up(1, n_nodes, moments_);
    if (ranking != nullptr) {
      return pass_down_one_sided(expander, 0, n_nodes, moments_, sums_, translated, *ranking, direct, first, second);
    }
    const auto nothing = [](int) { return 0.0; };
    return expander.pass_down(0, n_nodes, moments_, sums_, translated, direct, nothing, first, second);
  }

  // x = the scores of a query. Returns false, and says so in its status, if it is not summed.
  bool read(std::int64_t query, const Rows& rows) {
    gather(call_.scores, call_.plan.row, call_.plan.ptr[query], rows.n, false, x_.get());
    limits_ = limits_of(x_.get(), rows.n);
    const bool summed = takes(limits_, call_.request.temperature);
    if (!summed) call_.status[query] = kOutOfRange;
    return summed;
  }

  // Divide the scores that have been read by the temperature.
  void divide_by_temperature(int n) {
    const double temperature = call_.request.temperature;
    if (temperature == 1) return;
    double* x = x_.get();
    const double centre = centre_matters(limits_, temperature) ? nearest_zero(x, n) : 0.0;
    for (int p = 0; p < n; ++p) x[p] = (x[p] - centre) / temperature;
    limits_ = limits_of(x, n);
  }

  template <class Sum>
  bool write(std::int64_t query, const Sum* first, const Sum* second, const Factors& factors, bool reversed,
             Real* scaled_first, Real* scaled_second) {
    return scatter(first, second, factors, call_.plan.row, call_.plan.ptr[query], call_.plan.size(query), reversed,
                   scaled_first, scaled_second, call_.first, call_.second);
  }

  const Call<Real>& call_;
  Columns<Real> columns_;
  std::size_t padded_ = 0;
  Buffer<double> x_, doubles_, translated_;
  Buffer<Real> scaled_;
  Buffer<std::int32_t> orders_;
  Limits limits_{};
  PanelSet panel_set_;
  std::vector<Node> tree_;
  Coefficients moments_, sums_;
};

}  // namespace pairloss
