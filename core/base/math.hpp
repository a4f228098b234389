#pragma once
// exp, log, tanh, pow: the same bits on every machine (glibc's differ between CPUs with and without FMA). Plain f64
// arithmetic, no contraction; relative error of exp, log and tanh a
// few ulp (tests/core/math_test says how many; pow loses about |y log x| ulp). Special values as in IEEE 754 / C99 Annex F.

namespace weir::math {

double exp(double x);
double log(double x);
double log1p(double x);
double tanh(double x);
double pow(double x, double y);
inline double sqrt(double x) { return __builtin_sqrt(x); }  // Correctly rounded everywhere.

// 1 / (1 + e^-x), without overflow.
double sigmoid(double x);
// log(1 + e^x), without overflow.
double softplus(double x);

}  // namespace weir::math
