// One call of the logistic engine: what is asked for, and where its results go.
#pragma once

#include <cstdint>

#include "../core/normalizer.h"
#include "exchange_sum.h"
#include "plan.h"
#include "rank_noise.h"
#include "reading.h"
#include "tree.h"

namespace pairloss {

// The sum that is asked for.
struct Request {
  double temperature;
  int normalizer;  // kNone for sums without the factor of the query
  double hessian_scale;
  bool is_loss;
  bool counts_phi;  // |delta NDCG|: the sums of phi are asked for
  const FastSum* sum;
};

// phi = |delta NDCG|: what it depends on.
struct DeltaNDCG {
  std::int64_t truncation;
  double base, slope;       // phi is divided by base + slope |s_i - s_j|, except where all scores are equal
  const double* per_ideal;  // 1 / ideal DCG of each query, or 0
  const double* few;        // the first discounts
  int n_few;
  const FastSum* unit;  // of the sums of phi: the weights that winners win, without row weights
  RankNoise noise;      // its scale is 0: the ranks are those of the scores

  bool has_noise() const { return noise.scale > 0; }
  bool covers(int n) const { return truncation >= n && slope == 0; }
};

enum Status : std::uint8_t { kSummed = 0, kOutOfRange = 1 };

template <class Real>
struct Call {
  const Plan& plan;
  const Request& request;
  const DeltaNDCG* delta;  // null: phi is 1 or a difference of values
  Scores scores;
  const double* query_weight;  // null for sums without the factor of the query
  Real *first, *second;        // of the caller's rows
  double* lambda_sums;         // of the queries: sum of phi r / T; written, except for the loss
  double* phi_sums;            // of the queries: sum of phi; written for |delta NDCG|, else read
  std::uint8_t* status;        // of the queries

  // What the sums of a query are multiplied by; `scale` is what phi lacks, that is 1 / ideal DCG.
  Factors factors(std::int64_t query, double scale) const {
    const double lambda_sum = lambda_sums[query], phi_sum = phi_sums[query];
    const double weight = query_weight == nullptr ? 1 : query_weight[query];
    const double factor = scale * weight * normalizer(request.normalizer, plan.size(query), lambda_sum, phi_sum);
    // The second sums of the loss are the weights of the pairs.
    if (request.is_loss) return {factor, factor};
    return {factor / request.temperature, factor / request.temperature * request.hessian_scale / request.temperature};
  }

  void keep_lambda_sum(std::int64_t query, double sum) const {
    if (!request.is_loss) lambda_sums[query] = sum / request.temperature;
  }
};

// Whether the engine takes scores with these extremes: finite, and not beyond kLargestScore temperatures.
inline bool takes(const Limits& limits, double temperature) {
  return limits.finite && std::max(-limits.low, limits.high) / temperature <= kLargestScore;
}

// Whether scores would lose digits that matter if they were divided by the temperature as they are.
inline bool centre_matters(const Limits& limits, double temperature) {
  return temperature != 1 && std::max(-limits.low, limits.high) > 1000 * temperature;
}

}  // namespace pairloss
