// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "common/suite.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "report/naming.hpp"
#include "report/quantities.hpp"

namespace xs::bench {
namespace {

TEST(Suite, IsFoundByName) {
  EXPECT_EQ(suite_named("rma"), &kRma);
  EXPECT_EQ(suite_named("messages and more"), nullptr);
}

TEST(Suite, EveryMetricBelongsToOne) {
  std::multiset<Metric> metrics;
  for (const Suite* suite : kSuites) metrics.insert(suite->metrics.begin(), suite->metrics.end());
  EXPECT_EQ(metrics.size(), kMetricCount);
  EXPECT_EQ(std::set<Metric>(metrics.begin(), metrics.end()).size(), kMetricCount);
}

TEST(Suite, SizesFitAWindow) {
  for (const Suite* suite : kSuites) {
    EXPECT_TRUE(std::ranges::is_sorted(suite->sizes));
    EXPECT_LE(suite->sizes.back(), kWindowBytes);
  }
}

TEST(Suite, EveryMetricHasNamesAndTables) {
  std::set<std::string> samples;
  for (const Suite* suite : kSuites)
    for (const Metric metric : suite->metrics) {
      const Naming& naming = naming_of(metric);
      ASSERT_NE(naming.plural, nullptr);
      ASSERT_NE(naming.prefix, nullptr);
      EXPECT_TRUE(samples.insert(naming.sample).second) << naming.sample;
      for (Series Cell::*series : {&Cell::seconds, &Cell::unsteadiness})
        EXPECT_TRUE(std::ranges::any_of(quantities(), [&](const Quantity& quantity) {
          return quantity.metric == metric && quantity.series == series;
        })) << naming.plural;
    }
}

TEST(Suite, ATurnIsOneOperationOrAWindow) {
  EXPECT_EQ(units_per_turn({.metric = Metric::kLatency, .window = 64}), 2U);
  EXPECT_EQ(units_per_turn({.metric = Metric::kWrite, .window = 64}), 1U);
  EXPECT_EQ(units_per_turn({.metric = Metric::kCompareSwap, .window = 64}), 1U);
  EXPECT_EQ(units_per_turn({.metric = Metric::kReads, .window = 16}), 16U);
}

TEST(Grid, KeepsMetricsAndSizesApart) {
  Grid<int> grid(kRma, 7);
  grid.at(Metric::kWrites, 3) = 1;
  grid.at(Metric::kReads, 0) = 2;
  EXPECT_EQ(grid.at(Metric::kWrites, 3), 1);
  EXPECT_EQ(grid.at(Metric::kReads, 0), 2);
  EXPECT_EQ(grid.at(Metric::kWrite, 0), 7);
}

}  // namespace
}  // namespace xs::bench
