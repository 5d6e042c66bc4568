// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "common/statistics.hpp"

#include <gtest/gtest.h>

namespace xs::bench {
namespace {

TEST(Statistics, SummarizesInAnyOrderAndInterpolates) {
  const Summary summary = summarize({4, 1, 3, 2});
  EXPECT_DOUBLE_EQ(summary.lower_quartile, 1.75);
  EXPECT_DOUBLE_EQ(summary.median, 2.5);
  EXPECT_DOUBLE_EQ(summary.upper_quartile, 3.25);
  EXPECT_EQ(summary.count, 4U);
}

TEST(Statistics, OneValueIsItsOwnSummary) {
  const Summary summary = summarize({7});
  EXPECT_DOUBLE_EQ(summary.lower_quartile, 7);
  EXPECT_DOUBLE_EQ(summary.upper_quartile, 7);
}

TEST(Statistics, NothingSummarizesToNothing) { EXPECT_EQ(summarize({}).count, 0U); }

TEST(Statistics, RatiosNeedBothSidesOfARound) {
  const Series numerator = {2.0, std::nullopt, 6.0, 8.0};
  const Series denominator = {1.0, 1.0, std::nullopt, 2.0};
  EXPECT_EQ(ratios_by_round(numerator, denominator), (std::vector<double>{2, 4}));
}

// What the whole design rests on: a machine that changes its speed between
// rounds changes no ratio.
TEST(Statistics, SpeedThatWandersBetweenRoundsCancels) {
  Series slow;
  Series fast;
  for (const double mood : {1.0, 7.0, 0.2, 30.0, 3.0}) {
    slow.push_back(3 * mood);
    fast.push_back(2 * mood);
  }
  const Summary ratio = summarize(ratios_by_round(slow, fast));
  EXPECT_DOUBLE_EQ(ratio.lower_quartile, 1.5);
  EXPECT_DOUBLE_EQ(ratio.upper_quartile, 1.5);
}

}  // namespace
}  // namespace xs::bench
