// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "util/clock.hpp"
#include "util/pace.hpp"

namespace xs::ring {

// How large payloads are written: into the caches, or past them. Where reader and writer share a
// cache the first is better; where they don't, each line would have to be taken from the other
// one's cache before it is written, and the second is quicker by several times. Which it is depends
// on the machine, and on where two virtual processors happen to run at the moment, which nobody
// tells: so both are measured. docs/ring.md §3 has the figures.
//
// The reader's part isn't seen here, and costs it more if it has to fetch from memory: going past
// must be worth a lot.
class WriteChoice {
 public:
  static constexpr std::size_t kLarge = 1024;  // bytes; below that there is nothing to choose

  // Calls write(past_caches) for a payload of `size` bytes, kLarge or more. now: nanoseconds.
  template <class Write, class Now>
  void write(std::size_t size, Write&& write, Now&& now) noexcept {
    SizeClass& sizes = sizes_[class_of(size)];
    if (!sizes.is_due()) return write(sizes.past);
    const bool past = sizes.past != sizes.tries_other();
    const util::Nanoseconds begin = now();
    write(past);
    sizes.took(past, size, now() - begin);
  }

 private:
  // Paces of short and long payloads don't compare.
  struct SizeClass {
    static constexpr std::uint32_t kSampled = 8;      // one of so many is measured
    static constexpr std::uint32_t kTriesOther = 32;  // one of so many of those goes the other way
    static constexpr std::uint32_t kFirst = 16;       // of the first ones every second one
    static constexpr std::uint64_t kWorth = 3, kStillWorth = 2;  // so many times as quick

    bool is_due() noexcept { return ++turn_ % kSampled == 0; }
    bool tries_other() noexcept {
      const std::uint32_t sample = ++sample_;
      return sample <= kFirst ? sample % 2 == 0 : sample % kTriesOther == 0;
    }
    void took(bool was_past, std::size_t size, util::Nanoseconds time) noexcept {
      (was_past ? past_ : into_).add(size, time);
      if (past_.known() && into_.known())
        past = into_.value() > (past ? kStillWorth : kWorth) * past_.value();
    }

    bool past = false;

   private:
    std::uint32_t turn_ = 0;
    std::uint32_t sample_ = 0;
    util::Pace into_;  // the caches
    util::Pace past_;
  };

  static constexpr std::size_t class_of(std::size_t size) noexcept {
    return size < 4096 ? 0 : size < 16384 ? 1 : 2;
  }

  std::array<SizeClass, 3> sizes_;
};

}  // namespace xs::ring
