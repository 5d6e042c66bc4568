// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/gather.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

namespace xs::core {
namespace {

// "abc", nothing, "defgh"
struct UserMemoryTest : testing::Test {
  char first[3] = {'a', 'b', 'c'};
  char last[5] = {'d', 'e', 'f', 'g', 'h'};
  std::array<struct iovec, 3> iov{{{first, 3}, {nullptr, 0}, {last, 5}}};
  UserMemory memory{iov};

  std::string read(std::size_t offset, std::size_t size) {
    std::string out(size, '?');
    memory.copy_to(reinterpret_cast<std::byte*>(out.data()), offset, size);
    return out;
  }
  std::size_t write(const char* text, std::size_t offset) {
    return memory.copy_from({reinterpret_cast<const std::byte*>(text), std::strlen(text)}, offset);
  }
};

TEST_F(UserMemoryTest, reads_across_pieces) {
  EXPECT_EQ(memory.size(), 8u);
  EXPECT_EQ(read(0, 8), "abcdefgh");
  EXPECT_EQ(read(2, 2), "cd");
  EXPECT_EQ(read(8, 0), "");
}

TEST_F(UserMemoryTest, writes_as_far_as_it_reaches) {
  EXPECT_EQ(write("XYZ", 2), 3u);
  EXPECT_EQ(read(0, 8), "abXYZfgh");
  EXPECT_EQ(write("12345", 6), 2u);
  EXPECT_EQ(write("1", 8), 0u);
  EXPECT_EQ(write("1", std::numeric_limits<std::size_t>::max()), 0u);
  EXPECT_EQ(read(0, 8), "abXYZf12");
}

TEST_F(UserMemoryTest, runs_end_with_their_piece) {
  EXPECT_EQ(memory.run(1).size(), 2u);
  EXPECT_EQ(static_cast<void*>(memory.run(3).data()), last);
  EXPECT_TRUE(memory.run(8).empty());
}

TEST_F(UserMemoryTest, pieces_leave_out_what_is_empty) {
  std::array<struct iovec, kIovLimit> out;
  EXPECT_EQ(memory.pieces(4, out), 2u);
  EXPECT_EQ(out[1].iov_base, last);
  EXPECT_EQ(out[1].iov_len, 1u);
  EXPECT_EQ(memory.pieces(0, out), 0u);
}

TEST_F(UserMemoryTest, sum_refuses_what_it_cannot_tell) {
  std::size_t total = 0;
  EXPECT_TRUE(UserMemory::sum(iov, total));
  EXPECT_EQ(total, 8u);
  iov[1].iov_len = std::numeric_limits<std::size_t>::max() - 7;
  EXPECT_FALSE(UserMemory::sum(iov, total));
  const std::array<struct iovec, kIovLimit + 1> many{};
  EXPECT_FALSE(UserMemory::sum(many, total));
}

}  // namespace
}  // namespace xs::core
