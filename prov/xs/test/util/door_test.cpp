// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/door.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace xs::util::test {
namespace {

struct DoorTest : testing::Test {
  void SetUp() override { ASSERT_TRUE(Door::prepare_visits()) << "this kernel has no membarrier"; }
  Door door;
};

TEST_F(DoorTest, nothing_stands_in_the_way_of_the_only_one) {
  EXPECT_TRUE(door.enter());
  door.leave();
}

TEST_F(DoorTest, obstacles_are_told_at_every_entry) {
  door.obstruct(4);
  EXPECT_FALSE(door.enter());
  EXPECT_EQ(door.obstacles(), 4);
  door.wait_for_visitor();
  door.leave();
}

TEST_F(DoorTest, visitor_comes_in_while_the_resident_is_out_only) {
  door.enter();
  EXPECT_FALSE(door.try_visit());
  door.leave();
  EXPECT_TRUE(door.try_visit());
  door.end_visit();
  EXPECT_TRUE(door.enter());
  door.leave();
}

TEST_F(DoorTest, resident_waits_for_the_visitor) {
  ASSERT_TRUE(door.try_visit());
  int room = 0;  // of whoever is inside
  std::thread resident([&] {
    EXPECT_FALSE(door.enter());
    door.wait_for_visitor();
    EXPECT_EQ(room, 1);
    room = 2;
    door.leave();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(room, 0);
  room = 1;
  door.end_visit();
  resident.join();
  EXPECT_EQ(room, 2);
}

// L1: plain memory that both write, under ThreadSanitizer, too.
TEST_F(DoorTest, one_is_inside_at_any_time) {
  constexpr unsigned kEntries = 3'000'000, kVisits = 3'000;
  unsigned long room = 0, in = 0;
  unsigned visits = 0;
  std::thread resident([&] {
    for (unsigned i = 0; i < kEntries; ++i) {
      if (!door.enter()) door.wait_for_visitor();
      in = in + 1;
      room = room + 1;
      in = in - 1;
      door.leave();
    }
  });
  for (unsigned i = 0; i < kVisits; ++i) {
    if (!door.try_visit()) continue;
    ++visits;
    EXPECT_EQ(in, 0);
    room = room + 1;
    door.end_visit();
  }
  resident.join();
  EXPECT_EQ(room, kEntries + visits);
}

}  // namespace
}  // namespace xs::util::test
