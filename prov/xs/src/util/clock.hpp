// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstdint>
#include <ctime>

namespace xs::util {

using Nanoseconds = std::uint64_t;
inline constexpr Nanoseconds kMicrosecond = 1000;
inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;
inline constexpr Nanoseconds kNever = ~0ull;

// For short times that are measured, not for deadlines. From the vDSO where it has a clock; takes
// some 25 ns.
inline Nanoseconds precise_now() noexcept {
  struct timespec t {};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<Nanoseconds>(t.tv_sec) * kSecond + static_cast<Nanoseconds>(t.tv_nsec);
}

// Monotonic time. Replaced by simulated time in tests.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanoseconds now() noexcept = 0;
  // As precise_now(), and where a choice rests on what was measured: a simulation repeats itself.
  virtual Nanoseconds precise() noexcept { return precise_now(); }
};

// The coarse clock: answered from the vDSO without a system call; its grain (1-4 ms) is finer than
// any deadline of ours.
class SystemClock final : public Clock {
 public:
  Nanoseconds now() noexcept override {
    struct timespec t {};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return static_cast<Nanoseconds>(t.tv_sec) * kSecond + static_cast<Nanoseconds>(t.tv_nsec);
  }
};

}  // namespace xs::util
