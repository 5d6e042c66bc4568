// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sleeping until a completion queue has something: docs/waits.md.
#pragma once
#include <cstddef>
#include <mutex>
#include <vector>

#include "core/cq.hpp"
#include "core/inner.hpp"
#include "util/clock.hpp"

namespace xs::abi {

struct Domain;
class QueueWait;

// Answers FI_GETWAIT for the kinds of wait object that are one descriptor.
int give_descriptor(enum fi_wait_obj kind, int descriptor, void* arg) noexcept;

// An eventfd: readable from ring() to drain().
class Bell {
 public:
  Bell() noexcept = default;
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  int open() noexcept;  // 0 or a negative errno
  int descriptor() const noexcept { return descriptor_; }
  void ring() noexcept;
  void drain() noexcept;

 private:
  int descriptor_ = -1;
};

// What the sleepers of one domain share. Made with its first waitable queue; all of it inside the
// gate.
//
// Invariant: while anybody sleeps, armed_ holds or kick_ is readable.
class Waits final : public core::WaitSet {
 public:
  explicit Waits(Domain& domain) noexcept;
  ~Waits() override;

  int open() noexcept;                            // 0 or a negative errno
  int join(QueueWait& queue);                     // the same; throws bad_alloc
  void leave(const QueueWait& queue) noexcept;    // its epoll descriptor still open
  bool add(int descriptor) noexcept override;     // of the inner provider
  void remove(int descriptor) noexcept override;  // before it is closed

  // Progresses until nothing is left to do. True: whatever comes from now on makes every queue's
  // descriptor readable, and the timer is set.
  bool arm() noexcept;
  // The sleeper is awake: there may be no other.
  void woken() noexcept;
  // Whoever leaves the gate wakes those for whom he has changed something.
  void leaving() noexcept;

 private:
  bool may_sleep() noexcept;
  bool settled() const noexcept;
  util::Nanoseconds due() const noexcept;
  void set_timer(util::Nanoseconds when) noexcept;

  Domain& domain_;
  std::vector<QueueWait*> queues_;
  std::vector<int> inner_;
  Bell kick_;
  int timer_ = -1;
  util::Nanoseconds timer_at_ = util::kNever;
  util::Nanoseconds grain_ = 0;  // of the domain's clock, which is that much late
  bool armed_ = false;
};

// What the sleepers on one completion queue share. Inside the gate, but for signal(), pending() and
// sleep().
//
// Invariant: while anybody sleeps here, armed_ holds or bell_ is readable.
class QueueWait {
 public:
  // A thread in fi_cq_sread, on its stack.
  struct Sleeper {
    std::size_t threshold;  // completions it waits for
    Sleeper* next = nullptr;
    bool listed = false;
  };

  QueueWait(Waits& waits, const core::CompletionQueue& queue) noexcept
      : waits_(waits), queue_(queue) {}
  ~QueueWait();
  QueueWait(const QueueWait&) = delete;
  QueueWait& operator=(const QueueWait&) = delete;

  int open();  // 0 or a negative errno; throws bad_alloc
  int descriptor() const noexcept { return epoll_; }

  // True: nothing is there, and the descriptor becomes readable when that changes.
  bool arm(std::size_t threshold) noexcept;
  // The application goes to sleep on the descriptor by itself; as fi_trywait.
  bool try_wait() noexcept;
  void falls_asleep(Sleeper& sleeper) noexcept;
  void wakes(Sleeper& sleeper) noexcept;
  // milliseconds; negative: for ever. Outside the gate.
  void sleep(int timeout) const noexcept;

  // Ends one wait, the present or the next one. Any thread.
  void signal() noexcept;
  bool take_signal() noexcept;

 private:
  friend class Waits;

  bool signaled() noexcept;
  bool watch(int descriptor) noexcept;
  void unwatch(int descriptor) noexcept;
  void ring_if_filled() noexcept;
  bool occupied() const noexcept { return sleepers_ || tried_; }

  Waits& waits_;
  const core::CompletionQueue& queue_;
  Bell bell_;
  int epoll_ = -1;
  Sleeper* sleepers_ = nullptr;
  bool tried_ = false;  // fi_trywait has promised a wake-up
  bool armed_ = false;
  std::mutex signal_mutex_;  // also under FI_THREAD_DOMAIN: a signal comes from another thread by
                             // its nature
  bool signaled_ = false;
};

}  // namespace xs::abi
