// What sources carry and what targets are multiplied by in the fast sums.
//
// A **channel** is a charge of the sources: their weight as winners (role 0) or as losers (role 1), or 1 for the
// unweighted sum (role 2), each alone and, where phi is a difference of values, times the row's value, and for
// |delta NDCG| both times its discount. Without weights role 0 is 1 and serves all. A **target** is what the evaluated
// sums of a row are multiplied by, likewise. The order of the powers of a role is 1, y, D, y D.
#pragma once

#include "portable.h"

namespace pairloss {

// A translation between the halves of a node: what a charge of one half becomes as a sum of the other
// (engine/expansion.py says which there are).
struct Flow {
  int side;        // of the targets: 0 winners, 1 losers
  int source;      // channel
  int target;      // or -1
  int sign;        // of the sum of sigma
  int sign_slope;  // of the sum of sigma'
  int dual;        // for the sum of phi sigma: the channel of the winners that it is multiplied by, or -1
  int dual_sign;
};

// The charge or factor of a row: its weight times the powers of its value and discount.
PAIRLOSS_CORE double charge_of(double weight, int power, double value, double discount) {
  return weight * (power % 2 == 1 ? value : 1.0) * (power >= 2 ? discount : 1.0);
}

}  // namespace pairloss
