// The extension module: one function per file of loops binds what Python calls.
#include "module.h"

#include <nanobind/nanobind.h>

NB_MODULE(PAIRLOSS_MODULE, module) {
  module.attr("level") = PAIRLOSS_LEVEL;  // of the instruction set that this module was compiled for
  pairloss::bind_logistic(module);
  pairloss::bind_metrics(module);
  pairloss::bind_pair_slopes(module);
  pairloss::bind_pairs(module);
  pairloss::bind_residuals(module);
  pairloss::bind_separable(module);
}
