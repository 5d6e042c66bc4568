// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/copy_past_caches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace xs::util {
namespace {

constexpr std::size_t kBeyond = 64;  // bytes around the target that nobody may touch

// The bytes of `from` at every alignment of both sides, none lost and none too many.
void expect_copied(std::size_t size) {
  std::vector<std::byte> from(size + kLine), to(size + kLine + 2 * kBeyond);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 131 + 7);
  for (std::size_t read_at = 0; read_at < kLine; read_at += 7) {
    for (std::size_t write_at = 0; write_at < kLine; ++write_at) {
      std::vector<std::byte> expected(to.size(), std::byte{0xee});
      std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(read_at), size,
                  expected.begin() + static_cast<std::ptrdiff_t>(kBeyond + write_at));
      to.assign(to.size(), std::byte{0xee});
      copy_past_caches(to.data() + kBeyond + write_at, from.data() + read_at, size);
      ASSERT_EQ(to, expected) << size << " bytes from " << read_at << " to " << write_at;
    }
  }
}

TEST(CopyPastCaches, CopiesWhatMemcpyWould) {
  for (std::size_t size = 0; size <= 4 * kLine; ++size) expect_copied(size);
  for (const std::size_t size : {1000u, 4096u, 4097u}) expect_copied(size);
}

}  // namespace
}  // namespace xs::util
