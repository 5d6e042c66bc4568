// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Payloads that a receiver can recompute: every byte follows from a 64-bit key, and a key follows
// from who sent the message to whom, under which tag, as which one in order. So content, order and
// identity are one check.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace payload {

inline constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;

/// The finaliser of splitmix64: a bijection which spreads neighbouring values over all 64 bits.
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// Folds any number of values into one key; the order of the values matters.
template <typename... Values>
constexpr std::uint64_t key_of(Values... values) {
  std::uint64_t key = kGolden;
  ((key = mix(key + kGolden + static_cast<std::uint64_t>(values))), ...);
  return key;
}

/// Splitmix64: the same numbers from the same seed on every rank.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() { return mix(state_ += kGolden); }

  /// A number in [0, bound); bound > 0. The bias of the modulus doesn't matter to a test.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  template <typename Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[below(i)]);
    }
  }

 private:
  std::uint64_t state_;
};

/// Writes the payload of `key`, 8 bytes at a time in the byte order of this machine.
inline void fill(std::uint64_t key, std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = mix(key += kGolden);
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
  }
}

/// Offset of the first byte which isn't the payload of `key`, or bytes.size().
inline std::size_t first_difference(std::uint64_t key, std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = mix(key += kGolden);
    const std::size_t length = std::min(sizeof word, bytes.size() - at);
    if (std::memcmp(bytes.data() + at, &word, length) == 0) {
      continue;
    }
    std::byte expected[sizeof word];
    std::memcpy(expected, &word, sizeof word);
    const auto differs = std::mismatch(expected, expected + length, bytes.data() + at);
    return at + static_cast<std::size_t>(differs.first - expected);
  }
  return bytes.size();
}

}  // namespace payload
