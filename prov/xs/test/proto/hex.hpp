// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Bytes written down as hexadecimal text, for golden values that a reader can lay beside docs/wire.md.
#pragma once
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "util/bytes.hpp"

namespace xs::test {

// Two digits per byte; anything that is no digit is layout.
inline std::vector<std::byte> from_hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c))) digits += c;
  }
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// A body encoded into exactly as many bytes as its kind has.
template <class Body>
std::vector<std::byte> encoded(const Body& body, std::size_t size) {
  std::vector<std::byte> bytes(size, std::byte{0xee});
  encode(body, bytes.data());
  return bytes;
}

}  // namespace xs::test
