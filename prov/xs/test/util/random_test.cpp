// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/random.hpp"

#include <gtest/gtest.h>

#include <set>

namespace xs::util {
namespace {

TEST(SystemRandom, DrawsDifferAndAreNeverZero) {
  SystemRandom random;
  std::set<std::uint64_t> drawn;
  for (int i = 0; i < 1000; ++i) drawn.insert(random.next());
  EXPECT_EQ(drawn.size(), 1000u);
  EXPECT_FALSE(drawn.contains(0));
}

TEST(SystemRandom, EveryBitIsRandom) {
  SystemRandom random;
  std::uint64_t ever_set = 0;
  std::uint64_t ever_clear = 0;
  for (int i = 0; i < 256; ++i) {
    const std::uint64_t value = random.next();
    ever_set |= value;
    ever_clear |= ~value;
  }
  EXPECT_EQ(ever_set, ~0ull);
  EXPECT_EQ(ever_clear, ~0ull);
}

}  // namespace
}  // namespace xs::util
