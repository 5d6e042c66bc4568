// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/wait.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <new>
#include <utility>

#include "abi/domain.hpp"

namespace xs::abi {

namespace {

bool add_to(int epoll, int descriptor) noexcept {
  struct epoll_event event {};
  event.events = EPOLLIN;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

}  // namespace

Deadline::Deadline(int timeout) noexcept
    : endless_(timeout < 0), at_(Clock::now() + std::chrono::milliseconds(std::max(timeout, 0))) {}

int Deadline::milliseconds_left() const noexcept {
  if (endless_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

bool is_waitable(std::uint32_t kind) noexcept {
  return kind == FI_WAIT_NONE || kind == FI_WAIT_UNSPEC || kind == FI_WAIT_FD ||
         kind == FI_WAIT_POLLFD || kind == FI_WAIT_MUTEX_COND || kind == FI_WAIT_YIELD;
}

int wait_control(int command, void* arg, enum fi_wait_obj kind, const QueueWait* wait) noexcept {
  if (!arg) return -FI_EINVAL;
  if (command == FI_GETWAITOBJ) {
    *static_cast<enum fi_wait_obj*>(arg) = kind;
    return 0;
  }
  if (command != FI_GETWAIT) return -FI_ENOSYS;
  if (!wait) return -FI_ENODATA;
  if (kind != FI_WAIT_MUTEX_COND) return give_descriptor(kind, wait->descriptor(), arg);
  *static_cast<struct fi_mutex_cond*>(arg) = wait->condition()->its();
  return 0;
}

int give_descriptor(enum fi_wait_obj kind, int descriptor, void* arg) noexcept {
  if (kind == FI_WAIT_FD) {
    *static_cast<int*>(arg) = descriptor;
    return 0;
  }
  if (kind != FI_WAIT_POLLFD) return -FI_ENODATA;
  auto& set = *static_cast<struct fi_wait_pollfd*>(arg);
  const bool fits = set.nfds >= 1 && set.fd;
  set.change_index = 0;
  set.nfds = 1;
  if (!fits) return -FI_ETOOSMALL;
  *set.fd = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return 0;
}

// ---- Bell ----

Bell::~Bell() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int Bell::open() noexcept {
  descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return descriptor_ < 0 ? -errno : 0;
}

void Bell::ring() noexcept { eventfd_write(descriptor_, 1); }

void Bell::drain() noexcept {
  eventfd_t count;
  eventfd_read(descriptor_, &count);
}

// ---- Condition ----

Condition::~Condition() {
  pthread_cond_destroy(&condition_);
  pthread_mutex_destroy(&mutex_);
}

// Under the mutex: who found nothing and holds it is asleep before.
void Condition::broadcast() noexcept {
  pthread_mutex_lock(&mutex_);
  pthread_cond_broadcast(&condition_);
  pthread_mutex_unlock(&mutex_);
}

void Condition::make_due() noexcept {
  const std::lock_guard lock(due_mutex_);
  due_ = true;
}

bool Condition::take_due() noexcept {
  const std::lock_guard lock(due_mutex_);
  return std::exchange(due_, false);
}

// ---- Waits ----

Waits::Waits(Domain& domain) noexcept : domain_(domain) {
  struct timespec t {};
  clock_getres(CLOCK_MONOTONIC_COARSE, &t);
  grain_ = static_cast<util::Nanoseconds>(t.tv_nsec);
}

Waits::~Waits() {
  if (timer_ >= 0) ::close(timer_);
}

int Waits::open() noexcept {
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  return timer_ < 0 ? -errno : kick_.open();
}

int Waits::join(QueueWait& queue) {
  queues_.reserve(queues_.size() + 1);
  if (!queue.watch(kick_.descriptor()) || !queue.watch(timer_)) return -errno;
  for (const int descriptor : inner_)
    if (!queue.watch(descriptor)) return -errno;
  queues_.push_back(&queue);
  return 0;
}

void Waits::leave(const QueueWait& queue) noexcept { std::erase(queues_, &queue); }

bool Waits::add(int descriptor) noexcept try {
  inner_.push_back(descriptor);
  if (std::ranges::all_of(queues_, [=](QueueWait* queue) { return queue->watch(descriptor); }))
    return true;
  remove(descriptor);
  return false;
} catch (const std::bad_alloc&) {
  return false;
}

void Waits::remove(int descriptor) noexcept {
  std::erase(inner_, descriptor);
  for (QueueWait* queue : queues_) queue->unwatch(descriptor);
}

bool Waits::arm() noexcept {
  // What is posted in one pass may have ended by the next.
  constexpr int kPasses = 4;
  // Before the look: who changes anything after it finds it armed.
  kick_.drain();
  armed_ = true;
  for (core::Endpoint* endpoint : domain_.endpoints) endpoint->before_sleep();
  bool quiet = false;
  for (int pass = 0; pass < kPasses && !quiet; ++pass) {
    domain_.progress();
    quiet = may_sleep();
  }
  if (quiet) set_timer(due());
  return quiet;
}

void Waits::woken() noexcept {
  armed_ = armed_ &&
           std::ranges::any_of(queues_, [](const QueueWait* queue) { return queue->occupied(); });
}

void Waits::leaving() noexcept {
  if (!armed_) return;
  for (QueueWait* queue : queues_) queue->ring_if_ended();
  if (!settled()) {
    // A post may have ended at once without a sign: somebody has to look.
    armed_ = false;
    kick_.ring();
  } else if (const util::Nanoseconds when = due(); when < timer_at_) {
    set_timer(when);
  }
}

// One at a time, held by itself: its queue may be closed meanwhile.
void Waits::signal_conditions() noexcept {
  const auto take = [this]() -> std::shared_ptr<Condition> {
    const Guard guard(domain_.gate);
    for (const QueueWait* queue : queues_)
      if (queue->condition() && queue->condition()->take_due()) return queue->condition();
    return nullptr;
  };
  while (const std::shared_ptr<Condition> next = take()) next->broadcast();
}

bool Waits::may_sleep() noexcept {
  if (domain_.deferred && domain_.deferred->any_ready()) return false;
  return std::ranges::all_of(domain_.endpoints, [](auto* each) { return each->may_sleep(); });
}

bool Waits::settled() const noexcept {
  if (domain_.deferred && domain_.deferred->any_ready()) return false;
  return std::ranges::all_of(domain_.endpoints, [](auto* each) { return each->settled(); });
}

util::Nanoseconds Waits::due() const noexcept {
  util::Nanoseconds when = util::kNever;
  for (const core::Endpoint* endpoint : domain_.endpoints) when = std::min(when, endpoint->due());
  return when;
}

// Not before the domain's clock shows that time: a sleeper would wake, find nothing due and spin.
void Waits::set_timer(util::Nanoseconds when) noexcept {
  if (when == util::kNever && timer_at_ == util::kNever) return;
  timer_at_ = when;
  struct itimerspec spec {};
  if (when != util::kNever) {
    when = std::max(when + grain_, util::Nanoseconds{1});
    spec.it_value.tv_sec = static_cast<time_t>(when / util::kSecond);
    spec.it_value.tv_nsec = static_cast<long>(when % util::kSecond);
  }
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

// ---- QueueWait ----

QueueWait::~QueueWait() {
  waits_.leave(*this);
  if (epoll_ >= 0) ::close(epoll_);
}

int QueueWait::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return -errno;
  if (const int rc = bell_.open()) return rc;
  if (!watch(bell_.descriptor())) return -errno;
  return waits_.join(*this);
}

bool QueueWait::watch(int descriptor) noexcept { return add_to(epoll_, descriptor); }

void QueueWait::unwatch(int descriptor) noexcept {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

bool QueueWait::prepare() noexcept {
  bell_.drain();
  armed_ = true;
  // A signal is noted before its bell rings, so one whose ring was drained shows here.
  return waits_.arm() && !signaled();
}

bool QueueWait::arm(const Sleeper& sleeper) noexcept {
  return prepare() && !awaited_.ends(sleeper);
}

bool QueueWait::try_wait() noexcept {
  if (take_signal()) return false;
  tried_ = prepare() && !awaited_.has_news();
  return tried_;
}

void QueueWait::falls_asleep(Sleeper& sleeper) noexcept {
  sleeper.next = sleepers_;
  sleeper.listed = true;
  sleepers_ = &sleeper;
}

void QueueWait::wakes(Sleeper& sleeper) noexcept {
  if (!sleeper.listed) return;
  Sleeper** at = &sleepers_;
  while (*at != &sleeper) at = &(*at)->next;
  *at = sleeper.next;
  sleeper.listed = false;
  waits_.woken();
}

void QueueWait::sleep(const Deadline& deadline) const noexcept {
  struct epoll_event event;
  epoll_wait(epoll_, &event, 1, deadline.milliseconds_left());
}

void QueueWait::ring_if_ended() noexcept {
  if (!armed_) return;
  bool awake = tried_ && awaited_.has_news();
  for (const Sleeper* each = sleepers_; each && !awake; each = each->next)
    awake = awaited_.ends(*each);
  if (!awake) return;
  armed_ = tried_ = false;
  bell_.ring();
  make_due();
}

void QueueWait::make_due() noexcept {
  if (!condition_) return;
  condition_->make_due();
  waits_.kick();
}

void QueueWait::signal() noexcept {
  {
    const std::lock_guard lock(signal_mutex_);
    signaled_ = true;
  }
  bell_.ring();
  make_due();
}

bool QueueWait::take_signal() noexcept {
  const std::lock_guard lock(signal_mutex_);
  return std::exchange(signaled_, false);
}

bool QueueWait::signaled() noexcept {
  const std::lock_guard lock(signal_mutex_);
  return signaled_;
}

}  // namespace xs::abi
