// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/clock.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace xs::util {
namespace {

TEST(SystemClock, PassesAsTimeDoes) {
  SystemClock clock;
  const Nanoseconds before = clock.now();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const Nanoseconds passed = clock.now() - before;
  EXPECT_GE(passed, 20 * kMillisecond);  // what slept 30, less two grains and a bit
  EXPECT_LT(passed, 60 * kSecond);
}

}  // namespace
}  // namespace xs::util
