// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace xs::util {
namespace {

template <int... kBytes>
constexpr std::array<std::byte, sizeof...(kBytes)> bytes() {
  return {std::byte{kBytes}...};
}

TEST(Bytes, StoreIsLittleEndianAndTouchesNothingElse) {
  auto room = bytes<0xee, 0xee, 0xee, 0xee, 0xee, 0xee>();
  store<std::uint32_t>(room.data() + 1, 0x01020304);
  EXPECT_EQ(room, (bytes<0xee, 4, 3, 2, 1, 0xee>()));
}

TEST(Bytes, LoadIsLittleEndianAtAnyAlignment) {
  const auto room = bytes<0xff, 8, 7, 6, 5, 4, 3, 2, 1, 0xff>();
  EXPECT_EQ(load<std::uint64_t>(room.data() + 1), 0x0102030405060708u);
  EXPECT_EQ(load<std::uint32_t>(room.data() + 1), 0x05060708u);
  EXPECT_EQ(load<std::uint16_t>(room.data() + 1), 0x0708u);
  EXPECT_EQ(load<std::uint8_t>(room.data() + 1), 0x08u);
}

}  // namespace
}  // namespace xs::util
