// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace xs::core {

// Counts operations that have ended. Thread rule: the domain's.
class Counter {
 public:
  std::uint64_t value() const noexcept { return value_; }    // well
  std::uint64_t errors() const noexcept { return errors_; }  // in error
  void ended(int error) noexcept { ++(error == 0 ? value_ : errors_); }
  // The application's own arithmetic; modulo 2^64.
  void add(std::uint64_t more) noexcept { value_ += more; }
  void add_errors(std::uint64_t more) noexcept { errors_ += more; }
  void set(std::uint64_t value) noexcept { value_ = value; }
  void set_errors(std::uint64_t errors) noexcept { errors_ = errors; }

 private:
  std::uint64_t value_ = 0;
  std::uint64_t errors_ = 0;
};

// What of an endpoint can be counted.
enum class Counted : std::uint8_t { kSend, kReceive, kRead, kWrite, kRemoteRead, kRemoteWrite };
inline constexpr std::size_t kCountedKinds = 6;

// The counters of an endpoint, by what they count: the same one may count several things.
class Counters {
 public:
  Counter* of(Counted what) const noexcept { return counters_[static_cast<std::size_t>(what)]; }
  void set(Counted what, Counter& counter) noexcept {
    counters_[static_cast<std::size_t>(what)] = &counter;
  }
  // Every operation that ends does so here, if anybody counts it. error: 0 or an errno value.
  void ended(Counted what, int error) const noexcept {
    if (Counter* const counter = of(what)) counter->ended(error);
  }

 private:
  std::array<Counter*, kCountedKinds> counters_{};  // null: nobody counts that
};

}  // namespace xs::core
