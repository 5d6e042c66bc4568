// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/connect_frame.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "proto/frame.hpp"
#include "proto/hex.hpp"

namespace xs::proto {
namespace {

std::vector<std::byte> encoded(const ConnectFrame& frame) {
  std::vector<std::byte> bytes(ConnectFrame::kSize + frame.data.size());
  encode(frame, bytes.data());
  return bytes;
}

TEST(ConnectFrame, GoldenBytes) {
  const auto data = test::from_hex("cafe");
  const auto golden = test::from_hex("0807060504030201 100f0e0d0c0b0a09 6f000000 00000000 cafe");
  EXPECT_EQ(encoded({.id = {.high = 0x0102030405060708, .low = 0x090a0b0c0d0e0f10},
                     .status = 111,
                     .data = data}),
            golden);
  const auto frame = decode_connect_frame(golden);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->id, (ConnectionId{0x0102030405060708, 0x090a0b0c0d0e0f10}));
  EXPECT_EQ(frame->status, 111u);
  EXPECT_EQ(std::vector(frame->data.begin(), frame->data.end()), data);
}

TEST(ConnectFrame, RefusesWhatItCantBe) {
  EXPECT_FALSE(decode_connect_frame(encoded({.id = {}, .data = {}}))) << "no id";
  EXPECT_TRUE(decode_connect_frame(encoded({.id = {1, 0}, .status = 4095, .data = {}})));
  EXPECT_FALSE(decode_connect_frame(encoded({.id = {1, 0}, .status = 4096, .data = {}})));
  auto bytes = encoded({.id = {1, 0}, .data = {}});
  EXPECT_FALSE(decode_connect_frame(util::Bytes(bytes).first(ConnectFrame::kSize - 1)));
  for (std::size_t at = 20; at < ConnectFrame::kSize; ++at) {
    auto reserved = bytes;
    reserved[at] = std::byte{1};
    EXPECT_FALSE(decode_connect_frame(reserved));
  }
  const std::vector<std::byte> much(kConnectDataLimit + 1);
  EXPECT_FALSE(decode_connect_frame(encoded({.id = {1, 0}, .data = much})));
  EXPECT_TRUE(decode_connect_frame(encoded({.id = {1, 0}, .data = util::Bytes(much).subspan(1)})));
}

TEST(ConnectFrame, SizesByKind) {
  EXPECT_FALSE(is_body_size(Kind::kConnect, 23));
  EXPECT_TRUE(is_body_size(Kind::kConnect, 24));
  EXPECT_TRUE(is_body_size(Kind::kAnswer, 24 + 192));
  EXPECT_FALSE(is_body_size(Kind::kAnswer, 24 + 193));
  EXPECT_TRUE(is_body_size(Kind::kConnected, 24));
  EXPECT_FALSE(is_body_size(Kind::kConnected, 25));
  EXPECT_TRUE(is_sequenced(Kind::kConnect) && is_sequenced(Kind::kConnected));
}

}  // namespace
}  // namespace xs::proto
