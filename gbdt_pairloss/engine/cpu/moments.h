// Sums over all ordered pairs of a query from running moments: the squared and the exponential loss.
//
// Both losses are sums of products of a function of the winner's score and one of the loser's. A walk over the rows in
// the order of their labels keeps the moments of all rows that a row wins against, and a walk in the other direction
// those of all rows that it loses to.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "exponential.h"
#include "rows.h"
#include "threads.h"

namespace pairloss {

// A query of more rows than kShared is walked in chunks of kWalkChunk rows, which the threads share.
constexpr int kShared = 65536, kWalkChunk = 16384;

// What a row adds to its pairs: its weight as a winner or a loser, and phi = up of the winner - down of the loser.
template <bool kWeighted, bool kValued>
class Charges {
 public:
  static constexpr bool kHasWeights = kWeighted, kHasValues = kValued;

  explicit Charges(const Rows& rows) : rows_(rows), smallest_(kValued ? rows.value[rows.n - 1] : 0.0) {}

  double winner(int i) const { return kWeighted ? rows_.winner_weight[i] : 1.0; }
  double loser(int j) const { return kWeighted ? rows_.loser_weight[j] : 1.0; }
  double up(int i) const { return kValued ? rows_.value[i] - smallest_ : 1.0; }
  double down(int j) const { return kValued ? rows_.value[j] - smallest_ : 0.0; }

 private:
  const Rows& rows_;
  double smallest_;  // subtracted from all values: the same differences, with fewer digits lost
};

// The rows as a walk meets them: from the first up, after those that beat them, or from the last down, after those that
// they beat.
template <bool kUp>
struct Walk {
  const Rows& rows;
  int position(int t) const { return kUp ? t : rows.n - 1 - t; }
  // The bounds of the run of equal labels that step t belongs to.
  int run_first(int t) const { return kUp ? rows.run_begin[t] : rows.n - rows.run_end[rows.n - 1 - t]; }
  int run_stop(int t) const { return kUp ? rows.run_end[t] : rows.n - rows.run_begin[rows.n - 1 - t]; }
};

// Walk the steps [begin, end). `state` holds the rows before `begin`, and `entry` those of them that are not in the run
// of step `begin`. Returns the sum of what `use` adds to its third argument.
template <class Walk, class State, class Add, class Use>
double walk_steps(const Walk& walk, int begin, int end, State state, State entry, const Add& add, const Use& use) {
  double total = 0.0;
  for (int t = begin; t < end;) {
    const int stop = std::min(walk.run_stop(t), end);
    for (int k = t; k < stop; ++k) use(walk.position(k), entry, total);
    for (int k = t; k < stop; ++k) add(walk.position(k), state);
    entry = state;
    t = stop;
  }
  return total;
}

// Walk all rows: call use(position, state, total) for each with the state of the rows that it forms pairs with, which
// add(position, state) makes. sum_of(begin, end) is the state of a range of positions. Returns the sum of the totals.
// The chunks and their order do not depend on the threads.
template <bool kUp, class State, class Add, class SumOf, class Use>
double walk_rows(const Rows& rows, Team& team, const Add& add, const SumOf& sum_of, const Use& use) {
  const Walk<kUp> walk{rows};
  if (rows.n <= kShared) return walk_steps(walk, 0, rows.n, State{}, State{}, add, use);
  struct Chunk {
    int begin, end;
    State before_run, own;  // the chunk's rows before the run that reaches into the next chunk, and all its rows
    State state, entry;     // as in walk_steps
    double total;
  };
  std::vector<Chunk> chunks;
  for (int begin = 0; begin < rows.n; begin += kWalkChunk) {
    chunks.push_back({begin, std::min(begin + kWalkChunk, rows.n), {}, {}, {}, {}, 0.0});
  }
  const std::int64_t n_chunks = static_cast<std::int64_t>(chunks.size());
  team.run(n_chunks, [&](std::int64_t k) {
    Chunk& chunk = chunks[static_cast<std::size_t>(k)];
    const int last_run = chunk.end < rows.n ? walk.run_first(chunk.end) : chunk.end;
    const int middle = std::min(std::max(last_run, chunk.begin), chunk.end);
    const auto sum_of_steps = [&](int begin, int end) {
      return kUp ? sum_of(begin, end) : sum_of(rows.n - end, rows.n - begin);
    };
    chunk.own = chunk.before_run = sum_of_steps(chunk.begin, middle);
    chunk.own.merge(sum_of_steps(middle, chunk.end));
  });
  for (std::size_t k = 1; k < chunks.size(); ++k) {
    const Chunk& last = chunks[k - 1];
    Chunk& chunk = chunks[k];
    chunk.state = last.state;
    chunk.state.merge(last.own);
    const int first = walk.run_first(chunk.begin);
    if (first < last.begin) {  // the last chunk belongs to this run
      chunk.entry = last.entry;
    } else {
      chunk.entry = last.state;
      chunk.entry.merge(last.before_run);
    }
    if (first == chunk.begin) chunk.entry = chunk.state;
  }
  team.run(n_chunks, [&](std::int64_t k) {
    Chunk& chunk = chunks[static_cast<std::size_t>(k)];
    chunk.total = walk_steps(walk, chunk.begin, chunk.end, chunk.state, chunk.entry, add, use);
  });
  double total = 0.0;
  for (const Chunk& chunk : chunks) total += chunk.total;
  return total;
}

// The same, with sums of ranges that are made by `add`.
template <bool kUp, class State, class Add, class Use>
double walk_rows(const Rows& rows, Team& team, const Add& add, const Use& use) {
  const auto sum_of = [&](int begin, int end) {
    State sum{};
    for (int p = begin; p < end; ++p) add(p, sum);
    return sum;
  };
  return walk_rows<kUp, State>(rows, team, add, sum_of, use);
}

// The moments of weights, and of weights times values, in powers of the scores.
struct Moments {
  double weight = 0, weight_x = 0, weight_xx = 0, value = 0, value_x = 0, value_xx = 0;

  void merge(const Moments& other) {
    weight += other.weight;
    weight_x += other.weight_x;
    weight_xx += other.weight_xx;
    value += other.value;
    value_x += other.value_x;
    value_xx += other.value_xx;
  }

  template <bool kHasValues, int kPowers>
  void add(double own_weight, double own_value, double x) {
    weight += own_weight;
    weight_x += own_weight * x;
    if constexpr (kPowers > 2) weight_xx += own_weight * x * x;
    if constexpr (kHasValues) {
      const double product = own_weight * own_value;
      value += product;
      value_x += product * x;
      if constexpr (kPowers > 2) value_xx += product * x * x;
    }
  }
};

// The squared loss (margin - d)^2. `x` are the scores over the temperature, counted from their middle.
template <class Charges>
struct Squared {
  const Rows& rows;
  const Charges charges;
  const double* x;
  double margin;
  Team& team;

  // The sum of phi w v (margin - d).
  template <class Use>
  double walk_losers(const Use& use) const {
    return walk_rows<false, Moments>(
        rows, team,
        [&](int j, Moments& below) { below.add<Charges::kHasValues, 2>(charges.loser(j), charges.down(j), x[j]); },
        [&](int i, const Moments& below, double& total) {
          const double m = margin - x[i];
          const double short_of =
              charges.up(i) * (m * below.weight + below.weight_x) - (m * below.value + below.value_x);
          total += charges.winner(i) * short_of;
          use(i, short_of, charges.up(i) * below.weight - below.value);
        });
  }

  double total() const {
    return walk_losers([](int, double, double) {});
  }

  // The sums of l' and l''; returns that of phi w v (margin - d).
  double slopes(double* first, double* second) const {
    const double total = walk_losers([&](int i, double short_of, double phi) {
      first[i] = -2.0 * charges.winner(i) * short_of;
      second[i] = 2.0 * charges.winner(i) * phi;
    });
    walk_rows<true, Moments>(
        rows, team, [&](int i, Moments& above) { above.add<true, 2>(charges.winner(i), charges.up(i), x[i]); },
        [&](int j, const Moments& above, double&) {
          const double m = margin + x[j], v = 2.0 * charges.loser(j), down = charges.down(j);
          first[j] += v * ((m * above.value - above.value_x) - down * (m * above.weight - above.weight_x));
          second[j] += v * (above.value - down * above.weight);
        });
    return total;
  }

  void losses(double* loss) const {
    walk_rows<false, Moments>(
        rows, team,
        [&](int j, Moments& below) { below.add<Charges::kHasValues, 3>(charges.loser(j), charges.down(j), x[j]); },
        [&](int i, const Moments& below, double&) {
          const double m = margin - x[i];
          const double plain = m * m * below.weight + 2.0 * m * below.weight_x + below.weight_xx;
          const double valued = m * m * below.value + 2.0 * m * below.value_x + below.value_xx;
          loss[i] = charges.winner(i) * (charges.up(i) * plain - valued);
        });
  }
};

// A running sum of weights e^(sign x), and of weights times values, in units of its largest term: it overflows only
// where the loss of a pair does.
template <int kSign>
struct Exponentials {
  double unit = -std::numeric_limits<double>::infinity(), weight = 0, value = 0;

  void add(double own_weight, double own_value, double x) {
    if (!(own_weight > 0)) return;
    const double place = kSign * x;
    raise(place);
    const double e = own_weight * std::exp(place - unit);
    weight += e;
    value += e * own_value;
  }

  // The sum over the positions [begin, end), in units of its largest term: terms that are too small for these units do
  // not matter to it.
  template <class Weight, class Value>
  static Exponentials of_range(int begin, int end, const double* x, const Weight& weight_of, const Value& value_of) {
    Exponentials sum;
    for (int p = begin; p < end; ++p) {
      if (weight_of(p) > 0) sum.unit = larger(sum.unit, kSign * x[p]);
    }
    if (std::isinf(sum.unit)) return sum;
    double weight = 0.0, value = 0.0;
#pragma omp simd reduction(+ : weight, value)
    for (int p = begin; p < end; ++p) {
      const double e = weight_of(p) * exponential_of(larger(smaller(kSign * x[p] - sum.unit, 0.0), -kLargestExponent));
      weight += e;
      value += e * value_of(p);
    }
    sum.weight = weight;
    sum.value = value;
    return sum;
  }

  void merge(const Exponentials& other) {
    if (other.weight == 0) return;
    raise(other.unit);
    const double scale = std::exp(other.unit - unit);
    weight += other.weight * scale;
    value += other.value * scale;
  }

 private:
  void raise(double place) {
    if (place <= unit) return;
    const double scale = std::exp(unit - place);
    weight *= scale;
    value *= scale;
    unit = place;
  }
};

// The exponential loss exp(-d), with `x` as for the squared loss.
template <class Charges>
struct Exponential {
  const Rows& rows;
  const Charges charges;
  const double* x;
  Team& team;

  // Call use(i, loss) with the loss of each winner; returns the sum of the losses.
  template <class Use>
  double walk_losers(const Use& use) const {
    using State = Exponentials<1>;
    const auto weight = [&](int j) { return charges.loser(j); };
    const auto value = [&](int j) { return charges.down(j); };
    return walk_rows<false, State>(
        rows, team, [&](int j, State& below) { below.add(weight(j), value(j), x[j]); },
        [&](int begin, int end) { return State::of_range(begin, end, x, weight, value); },
        [&](int i, const State& below, double& total) {
          const double phi = charges.up(i) * below.weight - below.value;
          const bool counts = charges.winner(i) > 0 && phi > 0;
          const double value = counts ? charges.winner(i) * (phi * std::exp(below.unit - x[i])) : 0.0;
          total += value;
          use(i, value);
        });
  }

  double total() const {
    return walk_losers([](int, double) {});
  }

  double slopes(double* first, double* second) const {
    const double total = walk_losers([&](int i, double value) {
      first[i] = -value;
      second[i] = value;
    });
    using State = Exponentials<-1>;
    const auto weight = [&](int i) { return charges.winner(i); };
    const auto value = [&](int i) { return charges.up(i); };
    walk_rows<true, State>(
        rows, team, [&](int i, State& above) { above.add(weight(i), value(i), x[i]); },
        [&](int begin, int end) { return State::of_range(begin, end, x, weight, value); },
        [&](int j, const State& above, double&) {
          const double phi = above.value - charges.down(j) * above.weight;
          if (!(charges.loser(j) > 0 && phi > 0)) return;
          const double value = charges.loser(j) * (phi * std::exp(x[j] + above.unit));
          first[j] += value;
          second[j] += value;
        });
    return total;
  }

  void losses(double* loss) const {
    walk_losers([&](int i, double value) { loss[i] = value; });
  }
};

// Places up to this magnitude need no units: e^place and the products of two stay far from float64's limits.
constexpr double kNarrow = 100.0;

// The exponential loss where no place is beyond kNarrow: `e` and `inverse` are e^x and e^-x.
template <class Charges>
struct NarrowExponential {
  const Rows& rows;
  const Charges charges;
  const double *e, *inverse;
  Team& team;

  // Call use(i, loss) with the loss of each winner; returns the sum of the losses.
  template <class Use>
  double walk_losers(const Use& use) const {
    return walk_rows<false, Moments>(
        rows, team,
        [&](int j, Moments& below) {
          const double weight = charges.loser(j) * e[j];
          below.weight += weight;
          if constexpr (Charges::kHasValues) below.value += weight * charges.down(j);
        },
        [&](int i, const Moments& below, double& total) {
          const double phi = std::max(charges.up(i) * below.weight - below.value, 0.0);
          const double value = charges.winner(i) * (phi * inverse[i]);
          total += value;
          use(i, value);
        });
  }

  double total() const {
    return walk_losers([](int, double) {});
  }

  double slopes(double* first, double* second) const {
    const double total = walk_losers([&](int i, double value) {
      first[i] = -value;
      second[i] = value;
    });
    walk_rows<true, Moments>(
        rows, team,
        [&](int i, Moments& above) {
          const double weight = charges.winner(i) * inverse[i];
          above.weight += weight;
          above.value += weight * charges.up(i);
        },
        [&](int j, const Moments& above, double&) {
          const double phi = std::max(above.value - charges.down(j) * above.weight, 0.0);
          const double value = charges.loser(j) * (phi * e[j]);
          first[j] += value;
          second[j] += value;
        });
    return total;
  }

  void losses(double* loss) const {
    walk_losers([&](int i, double value) { loss[i] = value; });
  }
};

}  // namespace pairloss
