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

struct Sixteen {
  std::uint64_t words[2];
};

// 17 to 64 bytes, which don't overlap; written from their end to their beginning, so that of a
// ring's cells (docs/ring.md §3) that with the stamp is the last one.
[[gnu::always_inline]] inline void copy_line(std::byte* to, const std::byte* from,
                                             std::size_t size) noexcept {
  const auto first = load<Sixteen>(from);
  const auto last = load<Sixteen>(from + size - 16);
  store(to + size - 16, last);
  if (size > 32) {
    const auto second = load<Sixteen>(from + 16);
    const auto third = load<Sixteen>(from + size - 32);
    store(to + size - 32, third);
    store(to + 16, second);
  }
  store(to, first);
}

// The most that copy() copies without a call.
inline constexpr std::size_t kCopiedInline = 64;

// memcpy, without a call where the size is known to the compiler or turns out to be at most
// kCopiedInline: two loads that overlap copy everything between half of a width and the whole.
[[gnu::always_inline]] inline void copy(std::byte* to, const std::byte* from,
                                        std::size_t size) noexcept {
  if (__builtin_constant_p(size) || size > kCopiedInline) {
    std::memcpy(to, from, size);
  } else if (size > 16) {
    copy_line(to, from, size);
  } else if (size >= 8) {
    const auto first = load<std::uint64_t>(from);
    const auto last = load<std::uint64_t>(from + size - 8);
    store(to, first);
    store(to + size - 8, last);
  } else if (size >= 4) {
    const auto first = load<std::uint32_t>(from);
    const auto last = load<std::uint32_t>(from + size - 4);
    store(to, first);
    store(to + size - 4, last);
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

using Bytes = std::span<const std::byte>;

}  // namespace xs::util
