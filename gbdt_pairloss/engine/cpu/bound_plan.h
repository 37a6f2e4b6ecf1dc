// A plan as Python holds it: pointers, and the arrays that they point into.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <vector>

#include "arrays.h"
#include "plan.h"

namespace pairloss {

struct BoundPlan {
  Plan plan;
  std::vector<nanobind::object> arrays;
};

// The pointer to the entries of an array, which `arrays` keeps.
template <class T>
const T* kept(const In<T>& array, std::vector<nanobind::object>& arrays) {
  arrays.push_back(nanobind::cast(array));
  return array.data();
}

template <class T>
const T* kept(const std::optional<In<T>>& array, std::vector<nanobind::object>& arrays) {
  return array ? kept(*array, arrays) : nullptr;
}

// The scores of an array in either precision.
template <class Score>
Scores scores_of(const In<Score>& array) {
  Scores scores;
  if constexpr (sizeof(Score) == 4) {
    scores.single = array.data();
  } else {
    scores.twice = array.data();
  }
  return scores;
}

}  // namespace pairloss
