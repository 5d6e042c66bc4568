// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/card.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace xs::test {

namespace {

const hv::Card kCard{.host = {1, 2}, .process = {3, 4}, .domid = 5, .generation = 6, .pauses = 7};

TEST(HvCard, ComesBackAsItWas) {
  const auto card = hv::decode_card(encode(kCard));
  ASSERT_TRUE(card);
  EXPECT_EQ(*card, kCard);
}

TEST(HvCard, StandsAsDocumented) {
  const auto bytes = encode(kCard);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool low_byte = i == 0 || i == 4 || (i % 8 == 0 && i <= 48);
    EXPECT_EQ(bytes[i] != std::byte{0}, low_byte) << i;
  }
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte each : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(each) >> 4];
    text += kDigits[std::to_integer<unsigned>(each) & 15];
  }
  return text;
}

// Golden: dom0 is a domain, and a machine without Xen is none.
TEST(HvCard, Dom0IsNotNoDomain) {
  hv::Card card = kCard;
  const std::string rest =
      "0100000000000000"
      "0200000000000000"  // host
      "0300000000000000"
      "0400000000000000"  // process
      "0600000000000000"  // generation
      "0700000000000000"  // pauses, zero
      "0000000000000000";
  card.domid = 0;
  EXPECT_EQ(hex(encode(card)), "0300000000000000" + rest);
  card.domid = hv::kNoDomid;
  EXPECT_EQ(hex(encode(card)), "03000000ffffffff" + rest);
  EXPECT_EQ(hv::decode_card(encode(card)), card);
  EXPECT_EQ(hv::Card().domid, hv::kNoDomid);
}

TEST(HvCard, APauseIsNoOtherLife) {
  EXPECT_TRUE(kCard.paused());
  hv::Card later = kCard;
  ++later.pauses;
  EXPECT_FALSE(later.paused());
  EXPECT_NE(later, kCard) << "it is news";
  EXPECT_TRUE(later.same_life(kCard));
  for (int i = 0; i < 4; ++i) {
    hv::Card other = kCard;
    if (i == 0) ++other.host.low;
    if (i == 1) ++other.process.low;
    if (i == 2) ++other.domid;
    if (i == 3) ++other.generation;
    EXPECT_FALSE(other.same_life(kCard)) << i;
  }
}

TEST(HvCard, OthersAreNone) {
  auto bytes = encode(kCard);
  bytes[0] = std::byte{1};
  EXPECT_FALSE(hv::decode_card(bytes)) << "of a version whose domid of 0 was none";
  bytes[0] = std::byte{2};
  EXPECT_FALSE(hv::decode_card(bytes)) << "of a version that knew no pauses";
  bytes[0] = std::byte{4};
  EXPECT_FALSE(hv::decode_card(bytes)) << "another version";
  for (const std::size_t at : {52, 56, 63}) {
    bytes = encode(kCard);
    bytes[at] = std::byte{1};
    EXPECT_FALSE(hv::decode_card(bytes)) << "a field of tomorrow";
  }
  hv::Card nobody = kCard;
  nobody.process = {};
  EXPECT_FALSE(hv::decode_card(encode(nobody)));
  hv::Card unborn = kCard;
  unborn.generation = 0;
  EXPECT_FALSE(hv::decode_card(encode(unborn)));
  EXPECT_FALSE(hv::decode_card({}));
}

}  // namespace

}  // namespace xs::test
