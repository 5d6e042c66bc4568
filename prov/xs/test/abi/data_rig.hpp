// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Messages of an endpoint to itself.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "face/face.hpp"

namespace xs::abi::test {

class DataTest : public testing::Test {
 protected:
  struct fid_ep* ep() {
    return loop_.ep.get();
  }
  std::string_view received(std::size_t size) const { return {buffer_.data(), size}; }
  struct iovec into() {
    return {buffer_.data(), buffer_.size()};
  }

  // Expects the two completions of one message, in any order, and returns the receive's.
  struct fi_cq_tagged_entry both(std::uint64_t send_flags) {
    struct fi_cq_tagged_entry first = loop_.next();
    struct fi_cq_tagged_entry second = loop_.next();
    if (first.flags & FI_RECV) std::swap(first, second);
    EXPECT_EQ(first.flags, send_flags);
    EXPECT_EQ(first.op_context, &send_);
    EXPECT_EQ(second.op_context, &receive_);
    return second;
  }
  void expect_silence() {
    struct fi_cq_tagged_entry entry;
    EXPECT_EQ(loop_.try_next(entry), 0);
  }

  Loop loop_;
  std::array<char, 64> buffer_{};
  struct fi_context2 send_, receive_;
};

}  // namespace xs::abi::test
