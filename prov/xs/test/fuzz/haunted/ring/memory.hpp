// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Stands in for src/ring/memory.hpp where a whole endpoint is built for a fuzz target
// (prov/xs/test/fuzz/run): the same memory, but somebody is told of every read, and may change it
// just before, and in the middle of a copy.
#pragma once
#define SharedMemory PlainMemory
#include "src/ring/memory.hpp"
#undef SharedMemory

#include "util/bytes.hpp"

namespace xs::ring {

class Haunt {
 public:
  virtual void before_read(const void* at) noexcept = 0;
  virtual void loaded(const std::uint64_t* word, std::uint64_t value,
                      std::memory_order order) noexcept = 0;
  virtual void copied(const std::byte* from, util::Bytes bytes) noexcept = 0;
  static inline Haunt* present = nullptr;

 protected:
  ~Haunt() = default;
};

struct SharedMemory : PlainMemory {
  static std::uint64_t load(const std::uint64_t* word, std::memory_order order) noexcept {
    if (!Haunt::present) return PlainMemory::load(word, order);
    Haunt::present->before_read(word);
    const std::uint64_t value = PlainMemory::load(word, order);
    Haunt::present->loaded(word, value, order);
    return value;
  }
  static void copy(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    if (!Haunt::present || size == 0) return PlainMemory::copy(to, from, size);
    const std::size_t half = size / 2;
    Haunt::present->before_read(from);
    PlainMemory::copy(to, from, half);
    Haunt::present->before_read(from);
    PlainMemory::copy(to + half, from + half, size - half);
    Haunt::present->copied(from, {to, size});
  }
};

}  // namespace xs::ring
