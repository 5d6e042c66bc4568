// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The entry guard: every function of the C face that enters a domain holds one meanwhile.
#pragma once
#include <mutex>

namespace xs::abi {

class Waits;

// The door of a domain. One thread at a time is inside: by a mutex, or, under FI_THREAD_DOMAIN, by
// the application's promise.
class Gate {
 public:
  explicit Gate(bool locked) noexcept : locked_(locked) {}

  void enter() noexcept {
    if (locked_) mutex_.lock();
  }
  void leave() noexcept {
    if (waits_) wake_sleepers();
    if (locked_) mutex_.unlock();
  }
  // Entering and leaving come to nothing.
  bool stands_open() const noexcept { return !locked_ && !waits_; }
  // From inside: somebody may sleep from now on.
  void set_waits(Waits& waits) noexcept { waits_ = &waits; }

 private:
  void wake_sleepers() noexcept;  // abi/domain.cpp

  std::mutex mutex_;
  Waits* waits_ = nullptr;
  const bool locked_;
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
