// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/frame_buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace xs::carrier {
namespace {

constexpr std::uint32_t kLargest = 65584;

TEST(FramePoolTest, frame_has_room_for_its_body) {
  FramePool pool(kLargest);
  for (const std::size_t body : {0u, 224u, 225u, 4320u, 4321u, kLargest - 32u}) {
    FrameBuffer* frame = pool.make(body);
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->body_size, body);
    EXPECT_GE(frame->capacity, body + proto::kPrefixSize);
    std::memset(frame->bytes(), 1, body + proto::kPrefixSize);
    pool.drop(*frame);
  }
  EXPECT_EQ(pool.live(), 0u);
}

TEST(FramePoolTest, small_largest_frame_is_every_class) {
  FramePool pool(256);
  FrameBuffer* frame = pool.make(224);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->capacity, 256u);
  pool.drop(*frame);
}

TEST(FramePoolTest, dropped_frame_is_used_again_as_new) {
  FramePool pool(kLargest);
  FrameBuffer* first = pool.make(10);
  first->kept = true;
  first->cookie = 7;
  first->owner = &pool;
  first->tail = "tail";
  pool.drop(*first);
  FrameBuffer* again = pool.make(20);
  EXPECT_EQ(again, first);
  EXPECT_FALSE(again->kept);
  EXPECT_EQ(again->cookie, 0u);
  EXPECT_EQ(again->owner, nullptr);
  EXPECT_EQ(again->tail, nullptr);
  pool.drop(*again);
}

TEST(FramePoolTest, classes_do_not_mix) {
  FramePool pool(kLargest);
  FrameBuffer* small = pool.make(10);
  pool.drop(*small);
  FrameBuffer* large = pool.make(50000);
  EXPECT_NE(large, small);
  EXPECT_GE(large->capacity, 50032u);
  pool.drop(*large);
}

}  // namespace
}  // namespace xs::carrier
