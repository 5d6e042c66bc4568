// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "util/clock.hpp"

namespace xs::util {

// How fast bytes are moved, as picoseconds a byte: the median of the last few samples, so one that
// was interrupted, or one that had luck, says nothing.
class Pace {
 public:
  // bytes: not 0.
  void add(std::size_t bytes, Nanoseconds took) noexcept {
    last_[samples_++ % kKept] = took * 1000 / bytes;
    std::array<std::uint64_t, kKept> sorted = last_;
    const auto end = sorted.begin() + std::min(samples_, kKept);
    const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
    std::nth_element(sorted.begin(), middle, end);
    value_ = *middle;
  }
  bool known() const noexcept { return samples_ >= kFewest; }
  // While it is known.
  std::uint64_t value() const noexcept { return value_; }

 private:
  static constexpr std::size_t kKept = 5, kFewest = 3;
  std::array<std::uint64_t, kKept> last_{};
  std::size_t samples_ = 0;
  std::uint64_t value_ = 0;
};

}  // namespace xs::util
