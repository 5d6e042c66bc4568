// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A door that its resident goes through without a lock, and a visitor only while he is out.
#pragma once
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>

namespace xs::util {

// The resident is one thread at a time, by somebody's promise; visitors are any others. Invariants
// (docs/migration.md, L1 and L2): one of resident and visitor is inside; the resident waits for one
// visit at most, a visitor for nobody.
//
//   resident                                visitor
//   inside_ = true                          lock; set kVisitor
//   (only the compiler keeps the order)     membarrier: a full barrier in every thread
//   any obstacle? wait_for_visitor()        inside_? then give up
//
// Whoever is second sees the other: if the resident's look came before his barrier, so did his
// store, which the visitor reads after it.
class Door {
 public:
  // Besides visitors: what the resident's user wants to know of at every entry.
  using Obstacles = std::uint8_t;
  static constexpr Obstacles kVisitor = 1;

  // Whether visits are possible in this process; once before the first one.
  static bool prepare_visits() noexcept {
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  }

  // True: he is inside, and nothing stands in the way. False: there are obstacles; he may leave(),
  // or come in by wait_for_visitor().
  bool enter() noexcept {
    inside_.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // pairs with try_visit()'s membarrier
    return obstacles() == 0;
  }
  // Releases what he did to try_visit().
  void leave() noexcept { inside_.store(false, std::memory_order_release); }
  void wait_for_visitor() noexcept {
    if (!(obstacles() & kVisitor)) return;
    leave();
    const std::lock_guard lock(visits_);
    inside_.store(true, std::memory_order_relaxed);  // the next visitor locks after this
  }
  // Acquires what the last visitor did: pairs with end_visit().
  Obstacles obstacles() const noexcept { return obstacles_.load(std::memory_order_acquire); }
  void obstruct(Obstacles more) noexcept { obstacles_.fetch_or(more, std::memory_order_relaxed); }

  // Where nobody has promised to be one resident: all go in by these two, and nothing else is used.
  void lock() noexcept { visits_.lock(); }
  bool try_lock() noexcept { return visits_.try_lock(); }
  void unlock() noexcept { visits_.unlock(); }

  // True: the visitor is inside until end_visit(). False: the resident is, or may be (the kernel
  // has no memory for a barrier).
  bool try_visit() noexcept {
    visits_.lock();
    obstacles_.fetch_or(kVisitor, std::memory_order_relaxed);
    const bool passed = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
    if (passed && !inside_.load(std::memory_order_acquire)) return true;
    end_visit();
    return false;
  }
  void end_visit() noexcept {
    obstacles_.fetch_and(static_cast<Obstacles>(~kVisitor), std::memory_order_release);
    visits_.unlock();
  }

 private:
  std::atomic<bool> inside_{false};
  std::atomic<Obstacles> obstacles_{0};
  std::mutex visits_;
};

}  // namespace xs::util
