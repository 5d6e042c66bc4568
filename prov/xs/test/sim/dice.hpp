// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "util/random.hpp"

namespace xs::sim {

// Seeded numbers: the same seed gives the same run on every machine.
class Dice final : public util::Random {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept override {
    for (;;) {
      std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      z ^= z >> 31;
      if (z != 0) return z;
    }
  }

  // 0 to limit - 1; limit > 0.
  std::uint64_t below(std::uint64_t limit) noexcept { return (next() >> 11) % limit; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  bool percent(unsigned chance) noexcept { return below(100) < chance; }

  template <class C>
  auto pick(const C& choices) noexcept -> decltype(*std::begin(choices)) {
    return *std::next(std::begin(choices), static_cast<std::ptrdiff_t>(below(std::size(choices))));
  }
  template <class T>
  T pick(std::initializer_list<T> choices) noexcept {
    return *(choices.begin() + below(choices.size()));
  }

 private:
  std::uint64_t state_;
};

}  // namespace xs::sim
