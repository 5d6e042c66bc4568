// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sleeping until a completion queue has something, or a counter has moved: docs/waits.md.
#pragma once
#include <rdma/fi_eq.h>

#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "abi/guard.hpp"
#include "core/inner.hpp"
#include "util/clock.hpp"

namespace xs::abi {

struct Domain;
class QueueWait;

// A thread in fi_cq_sread or fi_cntr_wait, on its stack.
struct Sleeper {
  std::uint64_t threshold;   // completions that it waits for, or the value of a counter
  std::uint64_t errors = 0;  // counters: any other number ends its wait
  Sleeper* next = nullptr;
  bool listed = false;
};

// What threads sleep for, as the queue or counter knows it. Inside the gate.
class Awaited {
 public:
  virtual bool ends(const Sleeper& sleeper) const noexcept = 0;
  // Whether there is anything that the application has not been told: then fi_trywait refuses.
  virtual bool has_news() const noexcept = 0;

 protected:
  ~Awaited() = default;
};

// When a wait is over. timeout: milliseconds; negative: for ever.
class Deadline {
 public:
  explicit Deadline(int timeout) noexcept;
  bool passed() const noexcept { return !endless_ && Clock::now() >= at_; }
  // As epoll_wait wants it; rounded up: a wait must not be short.
  int milliseconds_left() const noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  const bool endless_;
  const Clock::time_point at_;
};

// Whether a queue or counter may be opened with this kind of wait object.
bool is_waitable(std::uint32_t kind) noexcept;
// Answers FI_GETWAIT and FI_GETWAITOBJ; wait: null if it has none.
int wait_control(int command, void* arg, enum fi_wait_obj kind, const QueueWait* wait) noexcept;
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

// FI_WAIT_MUTEX_COND. Only the thread of AutoProgress signals it: not inside the gate, for the
// application may hold the mutex while it waits to enter.
class Condition {
 public:
  Condition() noexcept = default;
  ~Condition();
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  void broadcast() noexcept;
  struct fi_mutex_cond its() noexcept {
    return {&mutex_, &condition_};
  }
  // Any thread.
  void make_due() noexcept;
  bool take_due() noexcept;

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition_ = PTHREAD_COND_INITIALIZER;
  std::mutex due_mutex_;  // also for fi_cq_signal, outside of the gate
  bool due_ = false;
};

// What the sleepers of one domain share. Made with its first waitable queue or counter; all of it
// inside the gate.
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
  // Wakes the one who signals conditions: one is due. Any thread.
  void kick() noexcept { kick_.ring(); }
  // Outside the gate.
  void signal_conditions() noexcept;

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

// What the sleepers on one completion queue or counter share. Inside the gate, but for signal() and
// sleep().
//
// Invariant: while anybody sleeps here, armed_ holds or bell_ is readable.
class QueueWait {
 public:
  QueueWait(Waits& waits, const Awaited& awaited) noexcept : waits_(waits), awaited_(awaited) {}
  ~QueueWait();
  QueueWait(const QueueWait&) = delete;
  QueueWait& operator=(const QueueWait&) = delete;

  int open();  // 0 or a negative errno; throws bad_alloc
  int descriptor() const noexcept { return epoll_; }
  void make_condition() { condition_ = std::make_shared<Condition>(); }  // throws bad_alloc
  const std::shared_ptr<Condition>& condition() const noexcept { return condition_; }

  // True: its wait goes on, and the descriptor becomes readable when that changes.
  bool arm(const Sleeper& sleeper) noexcept;
  // The application goes to sleep on the descriptor by itself; as fi_trywait.
  bool try_wait() noexcept;
  void falls_asleep(Sleeper& sleeper) noexcept;
  void wakes(Sleeper& sleeper) noexcept;
  // The whole of a wait, from outside of the gate: `look(late)` is called inside, as often as there
  // may be news, until it gives an answer; it must if it is late.
  template <class Look>
  auto wait_for(Gate& gate, Sleeper& self, const Deadline& deadline, Look&& look) noexcept {
    for (;;) {
      const bool late = deadline.passed();
      {
        const Guard guard(gate);
        wakes(self);
        if (const auto answer = look(late)) return *answer;
        if (!arm(self)) continue;
        falls_asleep(self);
      }
      sleep(deadline);
    }
  }
  // Outside the gate.
  void sleep(const Deadline& deadline) const noexcept;

  // Ends one wait, the present or the next one. Any thread.
  void signal() noexcept;
  bool take_signal() noexcept;

 private:
  friend class Waits;

  bool prepare() noexcept;
  bool signaled() noexcept;
  bool watch(int descriptor) noexcept;
  void unwatch(int descriptor) noexcept;
  void ring_if_ended() noexcept;
  void make_due() noexcept;
  bool occupied() const noexcept { return sleepers_ || tried_; }

  Waits& waits_;
  const Awaited& awaited_;
  Bell bell_;
  std::shared_ptr<Condition> condition_;  // null: it has none
  int epoll_ = -1;
  Sleeper* sleepers_ = nullptr;
  bool tried_ = false;  // fi_trywait has promised a wake-up
  bool armed_ = false;
  std::mutex signal_mutex_;  // also under FI_THREAD_DOMAIN: a signal comes from another thread by
                             // its nature
  bool signaled_ = false;
};

}  // namespace xs::abi
