// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The entry guard: every function of the C face that enters a domain holds one meanwhile.
#pragma once
#include "util/door.hpp"

namespace xs::abi {

class DeferredWork;
class Waits;

// The door of a domain. One thread at a time is inside: by a mutex, or, under FI_THREAD_DOMAIN, by
// the application's promise, to which the life-cycle thread keeps as a visitor
// (docs/migration.md).
class Gate {
 public:
  explicit Gate(bool locked) noexcept {
    if (locked) lock_always();
  }

  void enter() noexcept {
    if (!door_.enter()) enter_slowly();
  }
  void leave() noexcept {
    if (door_.obstacles() & (kLocked | kWaits | kDeferred))
      leave_slowly();
    else
      door_.leave();
  }
  // The same without a Guard, for what may be done only if nothing is in the way: no lock, no
  // sleeper, no visitor. Whatever it says, leave_quickly() follows, before a Guard may be made.
  bool enter_quickly() noexcept { return door_.enter(); }
  void leave_quickly() noexcept { door_.leave(); }
  // With a mutex from now on. Before anybody enters, or, of who has promised to be the only one,
  // from outside: a visitor who is in keeps out who comes.
  void lock_always() noexcept { door_.obstruct(kLocked); }
  // From inside: somebody may sleep from now on.
  void set_waits(Waits& waits) noexcept {
    waits_ = &waits;
    door_.obstruct(kWaits);
  }

  // From inside: operations may wait for counters from now on.
  void set_deferred(DeferredWork& deferred) noexcept {
    deferred_ = &deferred;
    door_.obstruct(kDeferred);
  }

  // For the life-cycle thread; without a lock, after Door::prepare_visits(). False: the application
  // is inside. True: the visitor is, until end_visit().
  bool try_visit() noexcept { return is_locked() ? door_.try_lock() : door_.try_visit(); }
  void end_visit() noexcept {
    if (deferred_) start_deferred();
    if (waits_) wake_sleepers();
    if (is_locked())
      door_.unlock();
    else
      door_.end_visit();
  }
  bool is_locked() const noexcept { return door_.obstacles() & kLocked; }

 private:
  static constexpr util::Door::Obstacles kLocked = 2;
  static constexpr util::Door::Obstacles kWaits = 4;
  static constexpr util::Door::Obstacles kDeferred = 8;

  [[gnu::noinline]] void enter_slowly() noexcept {
    if (!is_locked()) return door_.wait_for_visitor();
    door_.leave();
    door_.lock();
  }
  [[gnu::noinline]] void leave_slowly() noexcept {
    if (deferred_) start_deferred();
    if (waits_) wake_sleepers();
    if (is_locked())
      door_.unlock();
    else
      door_.leave();
  }
  void wake_sleepers() noexcept;   // abi/domain.cpp
  void start_deferred() noexcept;  // the same

  util::Door door_;
  Waits* waits_ = nullptr;
  DeferredWork* deferred_ = nullptr;
};

class Guard {
 public:
  explicit Guard(Gate& gate) noexcept : gate_(gate) { gate_.enter(); }
  ~Guard() { gate_.leave(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Gate& gate_;
};

}  // namespace xs::abi
