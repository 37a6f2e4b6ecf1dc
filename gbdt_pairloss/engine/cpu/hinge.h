// The sweep over two sorted runs that finds the pairs inside the margin of the hinge loss.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "moments.h"

namespace pairloss {

// What a sweep sums: the slopes of rows, the losses of winners, or only the total of the losses.
enum class HingeSums { kSlopes, kLosses, kTotal };

// Rows sorted by descending score, run by run, and room for as many.
struct Ranked {
  double* key;
  std::int32_t* order;
  double* spare_key;
  std::int32_t* spare_order;

  void swap() {
    std::swap(key, spare_key);
    std::swap(order, spare_order);
  }
};

// Sums over the rows inside the margin: of weights and of weights times values, each also times the scores, of 1, and
// of values.
struct Inside {
  double weight = 0, weight_x = 0, value = 0, value_x = 0, count = 0, count_value = 0;

  void merge(const Inside& other) {
    weight += other.weight;
    weight_x += other.weight_x;
    value += other.value;
    value_x += other.value_x;
    count += other.count;
    count_value += other.count_value;
  }
};

// One direction of the sweep over the winners [a, b) and the losers [b, c) of a ranking: over winners by descending
// score, whose losers inside the margin are the first ones, or over losers by ascending score, whose winners are the
// last ones.
template <bool kOverWinners>
struct Direction {
  int a, b, c;
  int n_rows() const { return kOverWinners ? b - a : c - b; }
  int n_others() const { return kOverWinners ? c - b : b - a; }
  int row(int t) const { return kOverWinners ? a + t : c - 1 - t; }
  int other(int s) const { return kOverWinners ? b + s : b - 1 - s; }
};

template <class Charges, HingeSums kSums>
class HingeSweep {
 public:
  // Scores are counted from `centre`, and sums are added to `first` and `second`.
  HingeSweep(const Rows& rows, double temperature, double margin, double centre, double* first, double* second)
      : charges_(rows), temperature_(temperature), margin_(margin), centre_(centre), first_(first), second_(second) {}

  // Sweep the steps [begin, end) of a direction; `inside` are the first `n_inside` others. Returns the sum over the
  // pairs inside, without weights, of phi or of the loss.
  template <bool kOverWinners>
  double sweep(const Ranked& ranked, const Direction<kOverWinners>& direction, int begin, int end, int n_inside,
               Inside inside) const {
    double total = 0.0;
    const int n_others = direction.n_others();
    for (int t = begin; t < end; ++t) {
      const int row = direction.row(t);
      while (n_inside < n_others && is_inside<kOverWinners>(ranked, row, direction.other(n_inside))) {
        add<kOverWinners>(ranked, direction.other(n_inside++), inside);
      }
      if (n_inside > 0) use<kOverWinners>(ranked, row, inside, total);
    }
    return total;
  }

  // The sums over the others [begin, end) of a direction.
  template <bool kOverWinners>
  Inside sum_of_others(const Ranked& ranked, const Direction<kOverWinners>& direction, int begin, int end) const {
    Inside inside;
    for (int s = begin; s < end; ++s) add<kOverWinners>(ranked, direction.other(s), inside);
    return inside;
  }

  // The number of others inside the margin of step t.
  template <bool kOverWinners>
  int count_inside(const Ranked& ranked, const Direction<kOverWinners>& direction, int t) const {
    int low = 0, high = direction.n_others();
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (is_inside<kOverWinners>(ranked, direction.row(t), direction.other(middle))) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  double place(const Ranked& ranked, int p) const { return (ranked.key[p] - centre_) / temperature_; }

  template <bool kOverWinners>
  bool is_inside(const Ranked& ranked, int row, int other) const {
    const double own = ranked.key[row], others = ranked.key[other];
    return (kOverWinners ? own - others : others - own) / temperature_ < margin_;
  }

  template <bool kOverWinners>
  void add(const Ranked& ranked, int other, Inside& inside) const {
    constexpr bool kHasSlopes = kSums == HingeSums::kSlopes;
    const int k = ranked.order[other];
    const double weight = kOverWinners ? charges_.loser(k) : charges_.winner(k);
    inside.weight += weight;
    if constexpr (!kHasSlopes) inside.weight_x += weight * place(ranked, other);
    if constexpr (Charges::kHasValues || !kOverWinners) {
      const double value = kOverWinners ? charges_.down(k) : charges_.up(k);
      inside.value += weight * value;
      if constexpr (!kHasSlopes) inside.value_x += weight * value * place(ranked, other);
      if constexpr (kHasSlopes && kOverWinners && Charges::kHasWeights) inside.count_value += value;
    }
    if constexpr (kHasSlopes && kOverWinners && Charges::kHasWeights) inside.count += 1.0;
  }

  template <bool kOverWinners>
  void use(const Ranked& ranked, int row, const Inside& inside, double& total) const {
    const int k = ranked.order[row];
    if constexpr (!kOverWinners) {
      const double phi = charges_.loser(k) * (inside.value - charges_.down(k) * inside.weight);
      first_[k] += phi;
      second_[k] += phi;
    } else if constexpr (kSums == HingeSums::kSlopes) {
      const double unweighted = charges_.up(k) * inside.weight - inside.value;
      const double phi = charges_.winner(k) * unweighted;
      first_[k] -= phi;
      second_[k] += phi;
      total += Charges::kHasWeights ? charges_.up(k) * inside.count - inside.count_value : unweighted;
    } else {
      const double m = margin_ - place(ranked, row);
      const double loss = charges_.up(k) * (m * inside.weight + inside.weight_x) - (m * inside.value + inside.value_x);
      const double weighted = std::max(charges_.winner(k) * loss, 0.0);
      if constexpr (kSums == HingeSums::kLosses) first_[k] += weighted;
      total += weighted;
    }
  }

  const Charges charges_;
  double temperature_, margin_, centre_;
  double *first_, *second_;
};

}  // namespace pairloss
