// The derivatives of the logistic loss for an array of differences of scores.
#include <cstddef>

#include "arrays.h"
#include "exponential.h"
#include "module.h"

namespace nb = nanobind;

namespace pairloss {
namespace {

// first = -sigma(-d) and second = sigma(d) sigma(-d), of all d.
void logistic_slopes(In<double> differences, Out<double> first, Out<double> second) {
  const double* d = differences.data();
  double *slope = first.data(), *curve = second.data();
  const std::size_t n = differences.size();
#pragma omp simd
  for (std::size_t k = 0; k < n; ++k) {
    const double e = exponential_of(smaller(larger(d[k], -kLargestExponent), kLargestExponent));
    const PairCurve<double> pair = pair_curve(e, 1.0);
    slope[k] = -pair.r;
    curve[k] = pair.t;
  }
}

}  // namespace

void bind_pair_slopes(nb::module_& module) {
  module.def("logistic_slopes", &logistic_slopes, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(),
             nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace pairloss
