// The steps of sums pair by pair: lists of pairs, drawn losers, differences of scores, and sums by row and by query.
//
// None of them depends on the loss, whose derivatives are computed in between, for a tile of pairs. Positions are int32
// or int64, as in the plan. This file is compiled without contraction, which draws.h needs.
#include <nanobind/stl/optional.h>

#include <memory>
#include <optional>

#include "../core/draws.h"
#include "../core/ranking.h"
#include "arrays.h"
#include "module.h"
#include "rank_noise.h"

namespace nb = nanobind;

namespace pairloss {
namespace {

// d[k] = the difference of the scores of a pair over the temperature.
template <class Index>
void differ(In<Index> winner, In<Index> loser, In<double> scores, double temperature, Out<double> d) {
  const Index *own = winner.data(), *other = loser.data();
  const double* x = scores.data();
  double* out = d.data();
  const std::size_t n = winner.size();
  for (std::size_t k = 0; k < n; ++k) out[k] = (x[own[k]] - x[other[k]]) / temperature;
}

// List ordered pairs from number `begin` on. `before[p]` is the number of pairs of the winners before position p, and
// `first` the winner of the first pair.
template <class Index>
void list_losers(std::int64_t begin, std::int64_t first, In<std::int64_t> before, In<Index> run_end, Out<Index> winner,
                 Out<Index> loser) {
  const std::int64_t* of_winners = before.data();
  const std::int64_t n = static_cast<std::int64_t>(winner.size());
  std::int64_t p = first;
  for (std::int64_t k = 0; k < n;) {
    while (begin + k >= of_winners[p + 1]) ++p;
    const std::int64_t stop = of_winners[p + 1] - begin < n ? of_winners[p + 1] - begin : n;
    const std::int64_t offset = static_cast<std::int64_t>(run_end.data()[p]) + begin - of_winners[p];
    for (; k < stop; ++k) {
      winner.data()[k] = static_cast<Index>(p);
      loser.data()[k] = static_cast<Index>(offset + k);
    }
  }
}

// The rank of each position in its query, from 0: larger scores first, equal ones in the order of the rows.
template <class Index>
void rank(In<std::int64_t> ptr, In<double> scores, In<Index> rows, Out<std::int64_t> ranks) {
  std::int64_t longest = 0;
  for (std::size_t q = 0; q + 1 < ptr.size(); ++q) {
    const std::int64_t n = ptr.data()[q + 1] - ptr.data()[q];
    longest = longest < n ? n : longest;
  }
  const std::size_t size = static_cast<std::size_t>(longest);
  const std::unique_ptr<std::int32_t[]> order(new std::int32_t[2 * size]);
  const std::unique_ptr<double[]> key(new double[2 * size]);
  for (std::size_t q = 0; q + 1 < ptr.size(); ++q) {
    const std::int64_t a = ptr.data()[q];
    const int n = static_cast<int>(ptr.data()[q + 1] - a);
    rank_rows(n, scores.data() + a, rows.data() + a, order.get(), order.get() + size, key.get(), key.get() + size);
    for (int k = 0; k < n; ++k) ranks.data()[a + order[k]] = k;
  }
}

// noised = the scores by which the rows of each query are ranked (core/rank_noise.h).
template <class Index>
void noise_scores(In<std::int64_t> ptr, In<double> scores, In<Index> rows, double scale, std::uint64_t seed,
                  Out<double> noised) {
  for (std::size_t q = 0; q + 1 < ptr.size(); ++q) {
    const std::int64_t a = ptr.data()[q], n = ptr.data()[q + 1] - a;
    add_rank_noise(n, scores.data() + a, rows.data() + a, RankNoise{scale, seed}, noised.data() + a);
  }
}

std::uint64_t hash_of_scores(In<double> scores, std::uint64_t seed) {
  return hash_of(static_cast<std::int64_t>(scores.size()), scores.data(), seed);
}

// Draws n losers for each winner; see _DrawnPairs in pair_by_pair.py.
template <class Index>
class Draws {
 public:
  Draws(std::int64_t n, In<Index> rows, In<Index> run_end, In<double> weight, In<double> total)
      : n_(n), rows_(rows), run_end_(run_end), weight_(weight), total_(total) {}

  // loser = the losers of the draws from number `first` on, where draw k is number k % n of the winner k / n. `winner`
  // is the winner of each draw, and `end` the end of its query.
  void draw(std::uint64_t hash, std::int64_t first, In<std::int64_t> winner, In<std::int64_t> end,
            Out<std::int64_t> loser) const {
    const std::int64_t n_draws = static_cast<std::int64_t>(winner.size());
    std::int64_t which = first % n_;
    for (std::int64_t k = 0; k < n_draws; ++k) {
      const std::int64_t i = winner.data()[k];
      const DrawRange range{static_cast<std::int64_t>(run_end_.data()[i]), end.data()[k], weight_.data(),
                            total_.data()};
      loser.data()[k] = drawn_loser(range, hash, static_cast<std::int64_t>(rows_.data()[i]), which, n_);
      which = which + 1 == n_ ? 0 : which + 1;
    }
  }

 private:
  std::int64_t n_;
  In<Index> rows_, run_end_;
  In<double> weight_, total_;
};

// phi or omega of a tile's pairs; without an array they are 1.
class Weights {
 public:
  explicit Weights(const std::optional<In<double>>& array) : data_(array ? array->data() : nullptr) {}
  double operator[](std::size_t k) const { return data_ != nullptr ? data_[k] : 1.0; }

 private:
  const double* data_;
};

// The sums of a task: over the pairs of consecutive queries, tile by tile. Pairs are sorted by their winner.
class PairTotals {
 public:
  // `query` is the query of each position. `of_rows` has a pair of sums for each position from `first_position` on, and
  // `of_queries` a sum for each query from `first_query` on.
  PairTotals(In<std::int64_t> query, std::int64_t first_position, std::int64_t first_query, Out<double> of_rows,
             Out<double> of_queries)
      : query_(query),
        first_position_(first_position),
        first_query_(first_query),
        of_rows_(of_rows),
        of_queries_(of_queries) {}

  // Add phi omega l' and phi omega l'' to both rows of each pair, and to its query phi |l'|, or phi if `counts_phi`.
  template <class Index>
  void add(In<Index> winner, In<Index> loser, std::optional<In<double>> phi, std::optional<In<double>> omega,
           In<double> first, In<double> second, bool counts_phi) {
    const Weights phi_of(phi), omega_of(omega);
    const Index *own = winner.data(), *other = loser.data();
    const double *slopes = first.data(), *curves = second.data();
    double* const sums = of_rows_.data() - 2 * first_position_;
    const std::size_t n = winner.size();
    for (std::size_t k = 0; k < n;) {
      const Index i = own[k];
      double slope_sum = 0.0, curve_sum = 0.0, counted = 0.0;
      for (; k < n && own[k] == i; ++k) {
        const double own_phi = phi_of[k];
        if (own_phi == 0.0) continue;  // the loss may be infinite
        counted += counts_phi ? own_phi : own_phi * (slopes[k] < 0 ? -slopes[k] : slopes[k]);
        const double weight = own_phi * omega_of[k];
        if (weight == 0.0) continue;
        const double slope = weight * slopes[k], curve = weight * curves[k];
        slope_sum += slope;
        curve_sum += curve;
        double* const of_loser = sums + 2 * static_cast<std::int64_t>(other[k]);
        of_loser[0] -= slope;
        of_loser[1] += curve;
      }
      add_to(i, slope_sum, curve_sum, counted);
    }
  }

  // Add phi omega l and phi omega to the winners, and phi to the queries.
  template <class Index>
  void add_won(In<Index> winner, std::optional<In<double>> phi, std::optional<In<double>> omega, In<double> loss) {
    const Weights phi_of(phi), omega_of(omega);
    const Index* own = winner.data();
    const std::size_t n = winner.size();
    for (std::size_t k = 0; k < n;) {
      const Index i = own[k];
      double loss_sum = 0.0, weight_sum = 0.0, phi_sum = 0.0;
      for (; k < n && own[k] == i; ++k) {
        const double weight = phi_of[k] * omega_of[k];
        phi_sum += phi_of[k];
        weight_sum += weight;
        if (weight > 0.0) loss_sum += weight * loss.data()[k];
      }
      add_to(i, loss_sum, weight_sum, phi_sum);
    }
  }

 private:
  void add_to(std::int64_t winner, double first, double second, double counted) {
    double* const of_winner = of_rows_.data() + 2 * (winner - first_position_);
    of_winner[0] += first;
    of_winner[1] += second;
    of_queries_.data()[query_.data()[winner] - first_query_] += counted;
  }

  In<std::int64_t> query_;
  std::int64_t first_position_, first_query_;
  Out<double> of_rows_, of_queries_;
};

using Free = nb::call_guard<nb::gil_scoped_release>;

template <class Index>
void bind_index(nb::module_& module, nb::class_<PairTotals>& totals, const char* draws) {
  module.def("differ", &differ<Index>, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(), nb::arg(),
             nb::arg().noconvert(), Free());
  module.def("list_losers", &list_losers<Index>, nb::arg(), nb::arg(), nb::arg().noconvert(), nb::arg().noconvert(),
             nb::arg().noconvert(), nb::arg().noconvert(), Free());
  module.def("rank", &rank<Index>, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(),
             nb::arg().noconvert(), Free());
  module.def("add_rank_noise", &noise_scores<Index>, nb::arg().noconvert(), nb::arg().noconvert(),
             nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg().noconvert(), Free());
  nb::class_<Draws<Index>>(module, draws)
      .def(nb::init<std::int64_t, In<Index>, In<Index>, In<double>, In<double>>(), nb::arg(), nb::arg().noconvert(),
           nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert())
      .def("draw", &Draws<Index>::draw, nb::arg(), nb::arg(), nb::arg().noconvert(), nb::arg().noconvert(),
           nb::arg().noconvert(), Free());
  totals
      .def("add", &PairTotals::add<Index>, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert().none(),
           nb::arg().noconvert().none(), nb::arg().noconvert(), nb::arg().noconvert(), nb::arg(), Free())
      .def("add_won", &PairTotals::add_won<Index>, nb::arg().noconvert(), nb::arg().noconvert().none(),
           nb::arg().noconvert().none(), nb::arg().noconvert(), Free());
}

}  // namespace

void bind_pairs(nb::module_& module) {
  module.def("hash_of", &hash_of_scores, nb::arg().noconvert(), nb::arg(), Free());
  nb::class_<PairTotals> totals(module, "PairTotals");
  totals.def(nb::init<In<std::int64_t>, std::int64_t, std::int64_t, Out<double>, Out<double>>(), nb::arg().noconvert(),
             nb::arg(), nb::arg(), nb::arg().noconvert(), nb::arg().noconvert());
  bind_index<std::int32_t>(module, totals, "Draws32");
  bind_index<std::int64_t>(module, totals, "Draws64");
}

}  // namespace pairloss
