// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/card.hpp"

#include <gtest/gtest.h>

namespace xs::test {

namespace {

const hv::Card kCard{.host = {1, 2}, .process = {3, 4}, .domid = 5, .generation = 6};

TEST(HvCard, ComesBackAsItWas) {
  const auto card = hv::decode_card(encode(kCard));
  ASSERT_TRUE(card);
  EXPECT_EQ(*card, kCard);
}

TEST(HvCard, StandsAsDocumented) {
  const auto bytes = encode(kCard);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool low_byte = i == 0 || i == 4 || i == 8 || i == 16 || i == 24 || i == 32 || i == 40;
    EXPECT_EQ(bytes[i] != std::byte{0}, low_byte) << i;
  }
}

TEST(HvCard, OthersAreNone) {
  auto bytes = encode(kCard);
  bytes[0] = std::byte{2};
  EXPECT_FALSE(hv::decode_card(bytes)) << "another version";
  bytes = encode(kCard);
  bytes[63] = std::byte{1};
  EXPECT_FALSE(hv::decode_card(bytes)) << "a field of tomorrow";
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
