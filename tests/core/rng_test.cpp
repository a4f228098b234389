#include "core/base/rng.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace weir {
namespace {

TEST(Rng, GivesTheKnownSequenceOfXoshiro256PlusPlus) {  // State 1, 2, 3, 4: the vector of rand_xoshiro and numpy's authors.
  Rng rng(Rng::State{1, 2, 3, 4});
  for (const std::uint64_t expected : {41943041ULL, 58720359ULL, 3588806011781223ULL, 3591011842654386ULL,
                                       9228616714210784205ULL, 9973669472204895162ULL, 14011001112246962877ULL,
                                       12406186145184390807ULL, 15849039046786891736ULL, 10450023813501588000ULL})
    EXPECT_EQ(rng.next_u64(), expected);
}

TEST(Rng, SeedsBySplitmix64) {  // splitmix64 from 1234567: Vigna's published vector.
  EXPECT_EQ(Rng(1234567).state(), (Rng::State{6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL,
                                              4593380528125082431ULL}));
}

TEST(Rng, DerivedStreamsDifferByNameAndLeaveTheirParentAlone) {
  Rng rng(5);
  const Rng before = rng;
  Rng a = rng.derive("a"), b = rng.derive("b"), again = rng.derive("a");
  EXPECT_EQ(rng, before);
  EXPECT_EQ(a, again);
  EXPECT_NE(a.next_u64(), b.next_u64());
  EXPECT_NE(Rng(6).derive("a"), again);
}

TEST(Rng, BelowIsInBoundsAndUniform) {
  Rng rng(3);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[rng.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 600);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(rng.below((1ULL << 63) + 1), (1ULL << 63) + 1);
  EXPECT_EQ(rng.below(1), 0U);
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(9);
  double u = 0.0, n = 0.0, n2 = 0.0, n4 = 0.0;
  constexpr int kCount = 200000;
  for (int i = 0; i < kCount; ++i) {
    const double x = rng.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    u += x;
    const double z = rng.normal();
    n += z;
    n2 += z * z;
    n4 += z * z * z * z;
  }
  EXPECT_NEAR(u / kCount, 0.5, 0.004);
  EXPECT_NEAR(n / kCount, 0.0, 0.012);
  EXPECT_NEAR(n2 / kCount, 1.0, 0.02);
  EXPECT_NEAR(n4 / kCount, 3.0, 0.15);
}

}  // namespace
}  // namespace weir
