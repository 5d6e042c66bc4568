// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory and payloads for tests and fuzzers of the ring.
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "ring/layout.hpp"
#include "ring/producer.hpp"

namespace xs::ring::test {

// Memory of exactly this size, aligned as a mapping is: a sanitizer sees any access beyond.
class Pages {
 public:
  explicit Pages(std::size_t size)
      : size_(size), bytes_(static_cast<std::byte*>(::operator new(size, kAlign))) {
    fill(std::byte{0xa5});
  }
  std::span<std::byte> span() const { return {bytes_.get(), size_}; }
  std::uint64_t* word(std::size_t at) const {
    return reinterpret_cast<std::uint64_t*>(bytes_.get() + at);
  }
  std::uint64_t* cell(std::size_t number) const { return word(kCellsAt + number * kCellSize); }
  void fill(std::byte value) { std::fill_n(bytes_.get(), size_, value); }

 private:
  static constexpr std::align_val_t kAlign{kCellSize};
  struct Delete {
    void operator()(std::byte* bytes) const { ::operator delete(bytes, kAlign); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Delete> bytes_;
};

constexpr std::size_t region_size(std::size_t cells) { return kCellsAt + cells * kCellSize; }

using Payload = std::vector<std::byte>;

// A payload of which every word looks like the stamp of a frame that may be looked for in a lap or
// two, but which is recognisable: no two frames' payloads are equal.
inline Payload plausible(std::uint64_t number, std::size_t size, std::uint64_t epoch) {
  Payload payload(size);
  for (std::size_t at = 0; at < size; at += 8) {
    const Stamp stamp{
        .number = static_cast<std::uint32_t>(number + 1 + at / 8), .size = 8, .tag = tag_of(epoch)};
    const std::uint64_t word = stamp.word();
    std::memcpy(&payload[at], &word, std::min<std::size_t>(8, size - at));
  }
  return payload;
}

inline Payload joined(const Kept& kept) {
  Payload all(kept.first.begin(), kept.first.end());
  all.insert(all.end(), kept.rest.begin(), kept.rest.end());
  return all;
}

}  // namespace xs::ring::test
