// The hinge loss of one query.
//
// Runs of equal labels are sorted by score. Then neighbours are merged, two by two, until there is one. When two are
// merged, all rows of the first beat all rows of the second, and a sweep over both finds the pairs inside the margin
// (Lee and Lin, "Large-scale linear RankSVM", Neural Computation 26, 2014).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../core/sorting.h"
#include "buffer.h"
#include "hinge.h"
#include "threads.h"

namespace pairloss {

// The memory of a ranking.
class RankedRows {
 public:
  Ranked reserve(int n) {
    const std::size_t size = static_cast<std::size_t>(n);
    return {key_.reserve(size), order_.reserve(size), spare_key_.reserve(size), spare_order_.reserve(size)};
  }

 private:
  Buffer<double> key_, spare_key_;
  Buffer<std::int32_t> order_, spare_order_;
};

// A query of more than kShared rows is shared by the threads, in parts that depend on the rows only:
//
// * groups of about kPart rows, of whole runs, which one task sums as if each were a query;
// * runs of more rows, of which parts are sorted and then merged;
// * levels of neighbours, which are swept and merged in parts of kPart steps.
template <class Charges, HingeSums kSums>
class HingeQuery {
 public:
  using Sweep = HingeSweep<Charges, kSums>;

  // `scores` are those of the rows.
  HingeQuery(const Rows& rows, const double* scores, const Sweep& sweep, RankedRows& memory, Team& team)
      : rows_(rows), scores_(scores), sweep_(sweep), ranked_(memory.reserve(rows.n)), team_(team) {}

  // Returns the sum over the pairs inside the margin, without weights, of phi or of the loss.
  double sum() {
    if (rows_.n > kShared) return sum_shared();
    std::vector<int> bounds;
    return sum_runs(ranked_, 0, rows_.n, bounds);
  }

 private:
  static constexpr int kPart = 16384;

  using Bounds = std::vector<int>;

  // Part of a sweep: steps [begin, end) of one direction over the winners [a, b) and the losers [b, c).
  struct Part {
    int a, b, c;
    bool over_winners;
    int begin, end;
    int n_inside;   // others inside the margin of the first step, which the parts before have added
    Inside inside;  // the sums over these; before they are known, over those that the part adds
    double total;
  };

  // Read and sort the rows [begin, end) of one run, or of a part of it.
  void sort_run(const Ranked& ranked, int begin, int end) const {
    for (int p = begin; p < end; ++p) {
      ranked.key[p] = scores_[p];
      ranked.order[p] = p;
    }
    sort(end - begin, ranked.key + begin, ranked.order + begin, ranked.spare_key + begin, ranked.spare_order + begin);
  }

  static void merge_neighbours(const Ranked& ranked, int a, int b, int c) {
    merge(ranked.key + a, ranked.order + a, b - a, c - a, ranked.spare_key + a, ranked.spare_order + a);
  }

  // The bounds that are left when neighbours have become one.
  static void halve(Bounds& bounds) {
    std::size_t kept = 0;
    for (std::size_t k = 0; k + 1 < bounds.size(); k += 2) bounds[kept++] = bounds[k];
    bounds[kept++] = bounds.back();
    bounds.resize(kept);
  }

  static int after_next(const Bounds& bounds, std::size_t k) { return bounds[std::min(k + 2, bounds.size() - 1)]; }

  // Sum over the pairs of the whole runs [begin, end), one thread. Afterwards the rows of `ranked` are sorted, except
  // that a query's last two runs need not be merged.
  double sum_runs(Ranked& ranked, int begin, int end, Bounds& bounds) const {
    bounds.clear();
    for (int low = begin; low < end; low = rows_.run_end[low]) {
      bounds.push_back(low);
      sort_run(ranked, low, rows_.run_end[low]);
    }
    bounds.push_back(end);
    double total = 0.0;
    while (bounds.size() > 2) {
      for (std::size_t k = 0; k + 2 < bounds.size(); k += 2) {
        const int a = bounds[k], b = bounds[k + 1], c = bounds[k + 2];
        total += sweep_.template sweep<true>(ranked, {a, b, c}, 0, b - a, 0, Inside{});
        if constexpr (kSums == HingeSums::kSlopes) {
          sweep_.template sweep<false>(ranked, {a, b, c}, 0, c - b, 0, Inside{});
        }
      }
      if (bounds.size() == 3 && end - begin == rows_.n) return total;
      for (std::size_t k = 0; k + 1 < bounds.size(); k += 2) {
        merge_neighbours(ranked, bounds[k], bounds[k + 1], after_next(bounds, k));
      }
      ranked.swap();
      halve(bounds);
    }
    return total;
  }

  double sum_shared() {
    Bounds bounds = groups();
    const std::size_t n_groups = bounds.size() - 1;
    std::vector<double> totals(n_groups);
    team_.run(static_cast<std::int64_t>(n_groups), [&](std::int64_t group) {
      const std::size_t k = static_cast<std::size_t>(group);
      const int begin = bounds[k], end = bounds[k + 1];
      if (end - begin > kPart && rows_.run_end[begin] == end) return;
      Ranked ranked = ranked_;
      Bounds runs;
      totals[k] = sum_runs(ranked, begin, end, runs);
      if (ranked.key != ranked_.key) {
        std::copy(ranked.key + begin, ranked.key + end, ranked_.key + begin);
        std::copy(ranked.order + begin, ranked.order + end, ranked_.order + begin);
      }
    });
    for (std::size_t k = 0; k < n_groups; ++k) {
      if (bounds[k + 1] - bounds[k] > kPart && rows_.run_end[bounds[k]] == bounds[k + 1]) {
        sort_long_run(bounds[k], bounds[k + 1]);
      }
    }
    double total = 0.0;
    for (const double of_group : totals) total += of_group;
    while (bounds.size() > 2) {
      total += sweep_level(bounds);
      if (bounds.size() > 3) {
        merge_level(ranked_, bounds);
        ranked_.swap();
      }
      halve(bounds);
    }
    return total;
  }

  // Divide the rows into groups of whole runs. A run of more than kPart rows is a group.
  Bounds groups() const {
    Bounds bounds{0};
    for (int low = 0; low < rows_.n; low = rows_.run_end[low]) {
      if (rows_.run_end[low] - bounds.back() > kPart && low > bounds.back()) bounds.push_back(low);
    }
    bounds.push_back(rows_.n);
    return bounds;
  }

  // Sort a run of more rows than a task sorts.
  void sort_long_run(int begin, int end) {
    Bounds bounds;
    for (int low = begin; low < end; low += kPart) bounds.push_back(low);
    bounds.push_back(end);
    team_.run(static_cast<std::int64_t>(bounds.size()) - 1, [&](std::int64_t part) {
      const std::size_t k = static_cast<std::size_t>(part);
      sort_run(ranked_, bounds[k], bounds[k + 1]);
    });
    Ranked ranked = ranked_;
    while (bounds.size() > 2) {
      merge_level(ranked, bounds);
      ranked.swap();
      halve(bounds);
    }
    if (ranked.key == ranked_.key) return;
    const std::int64_t n_parts = (end - begin + kPart - 1) / kPart;
    team_.run(n_parts, [&](std::int64_t part) {
      const int low = begin + static_cast<int>(part) * kPart, high = std::min(low + kPart, end);
      std::copy(ranked.key + low, ranked.key + high, ranked_.key + low);
      std::copy(ranked.order + low, ranked.order + high, ranked_.order + low);
    });
  }

  // Merge all neighbours into the spare arrays, in parts of kPart rows.
  void merge_level(const Ranked& ranked, const Bounds& bounds) {
    struct Output {
      int a, b, c, begin, end;
    };
    std::vector<Output> parts;
    for (std::size_t k = 0; k + 1 < bounds.size(); k += 2) {
      const int a = bounds[k], b = bounds[k + 1], c = after_next(bounds, k);
      for (int begin = 0; begin < c - a; begin += kPart) {
        parts.push_back({a, b, c, begin, std::min(begin + kPart, c - a)});
      }
    }
    team_.run(static_cast<std::int64_t>(parts.size()), [&](std::int64_t number) {
      const Output& part = parts[static_cast<std::size_t>(number)];
      merge_part(part.b - part.a, part.c - part.b, ranked.key + part.a, ranked.order + part.a, part.begin, part.end,
                 ranked.spare_key + part.a, ranked.spare_order + part.a);
    });
  }

  // Sweep over all neighbours in parts. Parts first add up the others that come inside the margin in them; then the
  // sums of all parts before are known.
  double sweep_level(const Bounds& bounds) {
    std::vector<Part> parts;
    for (std::size_t k = 0; k + 2 < bounds.size(); k += 2) {
      add_parts<true>(bounds[k], bounds[k + 1], bounds[k + 2], parts);
      if constexpr (kSums == HingeSums::kSlopes) add_parts<false>(bounds[k], bounds[k + 1], bounds[k + 2], parts);
    }
    const std::int64_t n_parts = static_cast<std::int64_t>(parts.size());
    team_.run(n_parts, [&](std::int64_t number) {
      const std::size_t k = static_cast<std::size_t>(number);
      if (parts[k].begin == 0) return;
      // What the part before adds after its first step.
      const Part& before = parts[k - 1];
      parts[k].inside =
          before.over_winners ? sum_between<true>(before, parts[k]) : sum_between<false>(before, parts[k]);
    });
    for (std::size_t k = 1; k < parts.size(); ++k) {
      if (parts[k].begin > 0) parts[k].inside.merge(parts[k - 1].inside);
    }
    team_.run(n_parts, [&](std::int64_t number) {
      Part& part = parts[static_cast<std::size_t>(number)];
      part.total = part.over_winners ? sweep_part<true>(part) : sweep_part<false>(part);
    });
    double total = 0.0;
    for (const Part& part : parts) total += part.over_winners ? part.total : 0.0;
    return total;
  }

  template <bool kOverWinners>
  void add_parts(int a, int b, int c, std::vector<Part>& parts) const {
    const Direction<kOverWinners> direction{a, b, c};
    for (int begin = 0; begin < direction.n_rows(); begin += kPart) {
      const int end = std::min(begin + kPart, direction.n_rows());
      const int n_inside = begin == 0 ? 0 : sweep_.count_inside(ranked_, direction, begin);
      parts.push_back({a, b, c, kOverWinners, begin, end, n_inside, Inside{}, 0.0});
    }
  }

  template <bool kOverWinners>
  Inside sum_between(const Part& before, const Part& part) const {
    const Direction<kOverWinners> direction{part.a, part.b, part.c};
    return sweep_.sum_of_others(ranked_, direction, before.n_inside, part.n_inside);
  }

  template <bool kOverWinners>
  double sweep_part(const Part& part) const {
    const Direction<kOverWinners> direction{part.a, part.b, part.c};
    return sweep_.sweep(ranked_, direction, part.begin, part.end, part.n_inside, part.inside);
  }

  const Rows& rows_;
  const double* scores_;
  const Sweep& sweep_;
  Ranked ranked_;
  Team& team_;
};

}  // namespace pairloss
