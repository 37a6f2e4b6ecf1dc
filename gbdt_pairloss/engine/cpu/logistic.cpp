// The sums of the logistic loss.
#include "module.h"

namespace pairloss {

void bind_logistic(nanobind::module_&) {}

}  // namespace pairloss
