// The functions that bind the loops of each file, called by module.cpp.
#pragma once

#include <nanobind/nanobind.h>

namespace pairloss {

void bind_logistic(nanobind::module_& module);
void bind_metrics(nanobind::module_& module);
void bind_pair_slopes(nanobind::module_& module);
void bind_pairs(nanobind::module_& module);
void bind_residuals(nanobind::module_& module);
void bind_separable(nanobind::module_& module);

}  // namespace pairloss
