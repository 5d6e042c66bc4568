// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace xs::util {

static_assert(std::endian::native == std::endian::little,
              "the wire is little-endian; a big-endian port swaps in load/store");

// Unaligned little-endian load and store. The caller has checked the bounds.
template <class T>
inline T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
inline void store(std::byte* to, T value) noexcept {
  std::memcpy(to, &value, sizeof value);
}

using Bytes = std::span<const std::byte>;

}  // namespace xs::util
