// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace xs::util {
namespace {

class Log : public ::testing::Test {
 protected:
  using Line = std::pair<Level, std::string>;

  void SetUp() override {
    lines_.clear();
    set_log_sink([](Level level, const char* text) noexcept { lines_.emplace_back(level, text); },
                 [](Level level) noexcept { return level != Level::kDebug; });
  }
  void TearDown() override { set_log_sink(nullptr, nullptr); }

  inline static std::vector<Line> lines_;
};

TEST_F(Log, FormatsWhatIsWanted) {
  log(Level::kWarn, "peer %s sent %d bytes", "192.0.2.1:4000", 17);
  log(Level::kInfo, "plain");
  EXPECT_EQ(lines_, (std::vector<Line>{{Level::kWarn, "peer 192.0.2.1:4000 sent 17 bytes"}, {Level::kInfo, "plain"}}));
}

TEST_F(Log, DropsALevelThatIsNotWanted) {
  log(Level::kDebug, "never seen");
  EXPECT_TRUE(lines_.empty());
}

TEST_F(Log, CutsALongLine) {
  log(Level::kWarn, "%s", std::string(1000, 'x').c_str());
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].second, std::string(511, 'x'));
}

TEST_F(Log, DropsLinesWithoutASink) {
  set_log_sink(nullptr, nullptr);
  log(Level::kWarn, "nobody listens");
  EXPECT_TRUE(lines_.empty());
}

}  // namespace
}  // namespace xs::util
