// gate: direct sums only
#include <nanobind/nanobind.h>
#include "../core/normalizer.h"
#include "arrays.h"
#include "direct.h"
#include "module.h"
#include "reading.h"
#include "threads.h"
namespace pairloss {
template <class Real>
double sum_wide(const Range&, double, const Rows&, Columns<Real>&) { return 0; }
bool gate(In<double> scores, In<std::int32_t> row, In<std::int64_t> ptr, In<std::int32_t> run_begin, In<std::int32_t> run_end, nanobind::object value, In<double> qw, double T, int norm, Out<float> g, Out<float> h, int threads) {
  (void)threads;
  nanobind::gil_scoped_release r;
  int longest = 0; auto nq = ptr.size() - 1;
  for (size_t q = 0; q < nq; ++q) longest = std::max<int>(longest, ptr.data()[q+1]-ptr.data()[q]);
  Columns<float> columns(longest);
  bool ok = true;
  for (size_t q = 0; q < nq; ++q) {
    auto at = ptr.data()[q]; int n = ptr.data()[q+1] - at; if (!n) continue;
    Rows rows{n, run_begin.data()+at, run_end.data()+at, nullptr, nullptr, nullptr};
    auto range = Range::with_fewest_rows(rows, 0, n);
    gather({nullptr, scores.data()}, {row.data(), nullptr}, at, n, range.mirrored, columns.x);
    auto lim = limits_of(columns.x, n);
    double lambda = sum_oriented(range, lim.low, lim.high, T, rows, columns);
    double f = qw.data()[q] * normalizer(norm, n, lambda / T, 0);
    ok &= scatter<float>(columns.total_r, columns.total_t, {(range.mirrored ? f : -f)/T, f/(T*T)}, {row.data(),nullptr}, at, n, range.mirrored, columns.e, columns.weight, g.data(), h.data());
  }
  (void)value;
  return ok;
}
void bind_logistic(nanobind::module_& m) { m.def("gate", &gate, nanobind::arg("scores"), nanobind::arg("row"), nanobind::arg("ptr"), nanobind::arg("rb"), nanobind::arg("re"), nanobind::arg("value").none(), nanobind::arg("qw"), nanobind::arg("T"), nanobind::arg("norm"), nanobind::arg("g"), nanobind::arg("h"), nanobind::arg("threads")); }
}
