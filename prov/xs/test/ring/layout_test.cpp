// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "ring/layout.hpp"

#include <gtest/gtest.h>

namespace xs::ring {
namespace {

TEST(RingLayout, AStampIsNumberSizeAndTag) {
  EXPECT_EQ((Stamp{.number = 0x01020304, .size = 0x0a0b0c, .tag = 0xef}.word()),
            0xef0a0b0c01020304u);
  const Stamp back = Stamp::from(0xef0a0b0c01020304u);
  EXPECT_EQ(back.number, 0x01020304u);
  EXPECT_EQ(back.size, 0x0a0b0cu);
  EXPECT_EQ(back.tag, 0xef);
}

TEST(RingLayout, APageHoldsSixtyCells) {
  EXPECT_EQ(cells_in(4096), 60u);
  EXPECT_EQ(cells_in(2 * 4096), 124u);
  EXPECT_EQ(largest_frame(60), 59u * 64 - 8);
}

TEST(RingLayout, TooSmallOrTooLargeHoldsNoRing) {
  EXPECT_EQ(cells_in(0), 0u);
  EXPECT_EQ(cells_in(256 + 127), 0u);
  EXPECT_EQ(cells_in(256 + 128), 2u);
  EXPECT_EQ(cells_in(256 + kMostCells * 64), kMostCells);
  EXPECT_EQ(cells_in(256 + (kMostCells + 1) * 64), 0u);
}

TEST(RingLayout, SmallMessagesTakeOneLine) {
  EXPECT_EQ(cells_of(1), 1u);
  EXPECT_EQ(cells_of(32 + 16 + 8), 1u);
  EXPECT_EQ(cells_of(57), 2u);
  EXPECT_EQ(cells_of(largest_frame(60)), 59u);
}

TEST(RingLayout, NeighbouringEpochsHaveOtherTags) {
  for (std::uint64_t epoch = 0; epoch < 1000; ++epoch) {
    EXPECT_NE(tag_of(epoch), tag_of(epoch + 1));
    EXPECT_NE(tag_of(epoch), tag_of(epoch + (1ull << 32)));
  }
}

}  // namespace
}  // namespace xs::ring
