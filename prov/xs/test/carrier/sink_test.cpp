// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/sink.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace xs::carrier {
namespace {

TEST(SinksTest, room_is_shared_by_what_fits) {
  Sinks sinks;
  void* large = sinks.room(1 << 20);
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(sinks.room(100), large);
  EXPECT_NE(sinks.room(2 << 20), large);
}

TEST(SinksTest, room_holds_its_size) {
  Sinks sinks;
  std::memset(sinks.room(5000), 1, 5000);
  std::memset(sinks.room(0), 1, 1);
}

TEST(SinksTest, more_than_there_is_gets_none) {
  Sinks sinks;
  EXPECT_EQ(sinks.room(std::numeric_limits<std::size_t>::max() / 2), nullptr);
}

TEST(SinksTest, pages_go_with_the_last_operation) {
  Sinks sinks;
  auto* at = static_cast<unsigned char*>(sinks.room(100));
  SinkOperation* first = sinks.make(1, 100);
  SinkOperation* second = sinks.make(2, 100);
  at[0] = 1;
  sinks.drop(*first);
  EXPECT_EQ(at[0], 1);
  sinks.drop(*second);
  EXPECT_EQ(at[0], 0);
}

}  // namespace
}  // namespace xs::carrier
