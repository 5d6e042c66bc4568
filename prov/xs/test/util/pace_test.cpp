// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/pace.hpp"

#include <gtest/gtest.h>

namespace xs::util {
namespace {

TEST(Pace, IsKnownAfterThree) {
  Pace pace;
  pace.add(1000, 70);
  pace.add(1000, 50);
  EXPECT_FALSE(pace.known());
  pace.add(1000, 60);
  EXPECT_TRUE(pace.known());
  EXPECT_EQ(pace.value(), 60u);
}

TEST(Pace, TwoInterruptionsOfFiveSayNothing) {
  Pace pace;
  for (int i = 0; i < 20; ++i) {
    pace.add(65536, i % 5 < 2 ? 4'000'000 : 6553);
    if (pace.known() && i > 4) {
      EXPECT_EQ(pace.value(), 99u) << i;
    }
  }
}

TEST(Pace, FollowsWithinThree) {
  Pace pace;
  for (int i = 0; i < 50; ++i) pace.add(1 << 20, 100'000);
  for (int i = 0; i < 3; ++i) pace.add(1 << 20, 400'000);
  EXPECT_EQ(pace.value(), 400'000'000u >> 20);
}

}  // namespace
}  // namespace xs::util
