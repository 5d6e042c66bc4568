// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// OFFER, MAPPED, LEFT, and the head of frames in a ring: docs/paths.md sections 2 and 3.
#include <gtest/gtest.h>

#include "proto/frame.hpp"
#include "proto/ring_frame.hpp"
#include "test/proto/hex.hpp"

namespace xs::proto {
namespace {

using test::encoded;
using test::from_hex;

TEST(Offer, GoldenBytes) {
  Offer offer{.epoch = 0x0102030405060708, .share = {}, .pages = 16, .wished = 256};
  offer.share[0] = std::byte{0xaa};
  offer.share[31] = std::byte{0xbb};
  const auto golden = from_hex(
      "0807060504030201 aa00000000000000 0000000000000000 0000000000000000 00000000000000bb "
      "10000000 00010000");
  EXPECT_EQ(encoded(offer, Offer::kSize), golden);
  const auto body = decode_offer(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->epoch, offer.epoch);
  EXPECT_EQ(body->share, offer.share);
  EXPECT_EQ(body->pages, 16u);
  EXPECT_EQ(body->wished, 256u);
}

TEST(Offer, NeedsAnEpochAndPages) {
  const Offer good{.epoch = 1, .share = {}, .pages = 1, .wished = 1};
  EXPECT_TRUE(decode_offer(encoded(good, Offer::kSize)));
  for (const std::size_t at : {0u, 40u, 44u}) {
    auto bytes = encoded(good, Offer::kSize);
    bytes[at] = std::byte{0};
    EXPECT_FALSE(decode_offer(bytes)) << at;
  }
  auto longer = encoded(good, Offer::kSize);
  longer.resize(Offer::kSize + 1);
  EXPECT_FALSE(decode_offer(longer));
}

TEST(Mapped, GoldenBytes) {
  const auto golden = from_hex("0700000000000000");
  EXPECT_EQ(encoded(Mapped{7}, Mapped::kSize), golden);
  ASSERT_TRUE(decode_mapped(golden));
  EXPECT_EQ(decode_mapped(golden)->epoch, 7u);
  EXPECT_FALSE(decode_mapped(from_hex("0000000000000000")));
  EXPECT_FALSE(decode_mapped(from_hex("07000000000000")));
}

TEST(Left, GoldenBytes) {
  const auto golden = from_hex("0700000000000000 01000000 03000000");
  EXPECT_EQ(encoded(Left{7, true, 3}, Left::kSize), golden);
  const auto body = decode_left(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->epoch, 7u);
  EXPECT_TRUE(body->answer);
  EXPECT_EQ(body->reason, 3u);
  EXPECT_FALSE(decode_left(from_hex("0700000000000000 02000000 03000000")));
  EXPECT_FALSE(decode_left(from_hex("0000000000000000 01000000 03000000")));
  EXPECT_FALSE(decode_left(from_hex("0700000000000000 01000000 030000")));
}

TEST(RingHead, PacksAndUnpacks) {
  const RingHead head{.kind = Kind::kEager, .flags = kTagged | kAckNow, .number = 0xdeadbeef};
  EXPECT_EQ(pack(head), 0xdeadbeef00000920u);
  const auto back = unpack_ring_head(pack(head), kEnvelopeSize);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, head.kind);
  EXPECT_EQ(back->flags, head.flags);
  EXPECT_EQ(back->number, head.number);
}

TEST(RingHead, TakesSequencedKindsOfTheirSizeOnly) {
  EXPECT_FALSE(unpack_ring_head(pack({.kind = Kind::kEager}), kEnvelopeSize - 1));
  EXPECT_FALSE(unpack_ring_head(pack({.kind = Kind::kAck}), 0));
  EXPECT_FALSE(unpack_ring_head(pack({.kind = Kind::kOffer}), Offer::kSize));
  EXPECT_FALSE(unpack_ring_head(pack({.kind = static_cast<Kind>(39)}), 0));
  EXPECT_TRUE(unpack_ring_head(pack({.kind = Kind::kGoodbye}), Goodbye::kSize));
  EXPECT_FALSE(unpack_ring_head(pack({.kind = Kind::kGoodbye}), 0));
  EXPECT_FALSE(unpack_ring_head(pack({.kind = Kind::kGoodbye}) | 1u << 16, Goodbye::kSize));
  EXPECT_FALSE(unpack_ring_head(pack({.kind = Kind::kGoodbye, .flags = 0x80}), Goodbye::kSize));
  EXPECT_FALSE(unpack_ring_head(0, 0));
  EXPECT_FALSE(unpack_ring_head(~std::uint64_t{0}, 0));
}

}  // namespace
}  // namespace xs::proto
