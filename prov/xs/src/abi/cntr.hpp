// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "abi/domain.hpp"
#include "abi/wait.hpp"
#include "core/counter.hpp"

namespace xs::abi {

// A counter, and what the application has been told of it. Inside the gate.
class CounterAwaited final : public Awaited {
 public:
  bool reached(std::uint64_t threshold) const noexcept { return core.value() >= threshold; }
  // Errors that nobody was told of yet end a wait at once: what has failed before it began will
  // never reach a threshold.
  std::uint64_t known_errors() const noexcept { return known_errors_; }
  std::uint64_t tell_value() noexcept { return known_value_ = core.value(); }
  std::uint64_t tell_errors() noexcept { return known_errors_ = core.errors(); }

  // As fi_poll sees it: whether it has moved since the last time, or since the application set it.
  bool take_change() noexcept {
    const bool moved = core.value() != polled_value_ || core.errors() != polled_errors_;
    forget_change();
    return moved;
  }
  void forget_change() noexcept {
    polled_value_ = core.value();
    polled_errors_ = core.errors();
  }

  bool ends(const Sleeper& sleeper) const noexcept override {
    return reached(sleeper.threshold) || core.errors() != sleeper.errors;
  }
  bool has_news() const noexcept override {
    return core.value() != known_value_ || core.errors() != known_errors_;
  }

  core::Counter core;

 private:
  std::uint64_t known_value_ = 0;
  std::uint64_t known_errors_ = 0;
  std::uint64_t polled_value_ = 0;
  std::uint64_t polled_errors_ = 0;
};

struct Cntr : fid_cntr {
  using Foreign = struct fid_cntr;

  Cntr(Domain& owner, enum fi_wait_obj kind) noexcept
      : fid_cntr{}, domain(owner), wait_object(kind) {}

  // Inside the gate. 0 or a negative errno; throws bad_alloc.
  int open_wait();
  // As fi_cntr_wait, also without a wait object; timeout in milliseconds, negative: for ever.
  int wait_for(std::uint64_t threshold, int timeout) noexcept;
  // As fi_trywait.
  int try_wait() noexcept;

  Domain& domain;
  CounterAwaited counter;
  const enum fi_wait_obj wait_object;
  std::size_t users = 0;          // bindings
  std::optional<QueueWait> wait;  // unless FI_WAIT_NONE

 private:
  Sleeper sleeper(std::uint64_t threshold) noexcept;
  std::optional<int> look(const Sleeper& self, bool late) noexcept;
  int poll_for(const Sleeper& self, const Deadline& deadline) noexcept;
};

}  // namespace xs::abi
