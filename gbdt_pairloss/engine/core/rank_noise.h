// Rank noise: the scores by which the rows of a query are ranked,
//
//     z = s + a T log(u / (1 - u))
//
// u, uniform on (0, 1), is a function of the seed, of the bits of the query's scores, and of the row. A file that draws
// has to be compiled without contraction (draws.h). The logarithm is here, because every processor must round it alike.
#pragma once

#include "draws.h"

namespace pairloss {

// The natural logarithm of a normal positive number, within an ulp (FreeBSD's e_log.c). No branch and no conversion of
// whole numbers of 64 bits, which vectors without AVX-512 lack.
PAIRLOSS_CORE double natural_log(double x) {
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  constexpr std::uint64_t kRootOfHalf = 0x3FE6A09E667F3BCDu;
  std::uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  // x = 2^power m with m from sqrt(1/2) to sqrt(2). The power, plus 1024, is made a number by its bits.
  const std::uint64_t above = bits - kRootOfHalf + (std::uint64_t{1024} << 52);
  const std::uint64_t power_bits = (above >> 52) | 0x4330000000000000u;
  const std::uint64_t m_bits = bits - (above & 0xFFF0000000000000u) + (std::uint64_t{1024} << 52);
  double power, m;
  memcpy(&power, &power_bits, sizeof power);
  memcpy(&m, &m_bits, sizeof m);
  power -= 0x1p52 + 1024.0;
  const double f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z, half_square = 0.5 * f * f;
  const double odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double even =
      z * (6.666666666666735130e-01 +
           w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  return power * kLn2High - ((half_square - (s * (half_square + (odd + even)) + power * kLn2Low)) - f);
}

// log(u / (1 - u)) of a row; u is an odd multiple of 2^-53.
PAIRLOSS_CORE double logit_of(std::uint64_t hash, std::int64_t row) {
  const std::uint64_t bits = mixed(hash + static_cast<std::uint64_t>(row) * kGolden) >> 12 | 0x3FF0000000000000u;
  double one_more;  // 1 + an even multiple of 2^-53
  memcpy(&one_more, &bits, sizeof one_more);
  const double u = (one_more - 1.0) + 0x1p-53, rest = (2.0 - one_more) - 0x1p-53;
  return natural_log(u / rest);
}

// z of a row; `scale` is a T.
PAIRLOSS_CORE double noised_score(double score, double scale, std::uint64_t hash, std::int64_t row) {
  return score + scale * logit_of(hash, row);
}

}  // namespace pairloss
