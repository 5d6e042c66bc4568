// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/life_cycle.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <system_error>

#include "abi/domain.hpp"

namespace xs::abi {

namespace {

// The application may be about to look by itself: less is left to do then.
constexpr int kGrace = 50;  // ms
// Between two visits: while there is something to do they get rarer.
constexpr int kFirstPause = 1, kLongestPause = 64;  // ms
// Then it is up to the application, as ever, until something happens again.
constexpr std::chrono::seconds kPatience{10};

bool is_readable(int descriptor, int milliseconds) noexcept {
  struct pollfd each = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&each, 1, milliseconds) > 0;
}

std::mutex list_mutex;
LifeCycle* first = nullptr;

// Signals are the application's.
class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

LifeCycle::LifeCycle(Domain& domain, int lives)
    : domain_(domain), lives_(lives), process_(getpid()) {
  if (const int rc = end_.open()) throw std::system_error(-rc, std::generic_category());
  const NoSignals inherited;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "xs-life");
  const std::lock_guard lock(list_mutex);
  next_ = first;
  first = this;
}

LifeCycle::~LifeCycle() {
  {
    const std::lock_guard lock(list_mutex);
    LifeCycle** at = &first;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
  }
  end();
}

void LifeCycle::end_all() noexcept {
  const std::lock_guard lock(list_mutex);
  for (LifeCycle* each = first; each; each = each->next_) each->end();
}

void LifeCycle::end() noexcept {
  if (!thread_.joinable()) return;
  if (getpid() != process_) return thread_.detach();
  end_.ring();
  thread_.join();
}

void LifeCycle::run() noexcept {
  struct pollfd both[] = {{.fd = lives_, .events = POLLIN, .revents = 0},
                          {.fd = end_.descriptor(), .events = POLLIN, .revents = 0}};
  while (poll(both, 2, -1) < 0 || both[1].revents == 0) {
    if (ends_within(kGrace)) return;
    follow();
  }
}

bool LifeCycle::is_told() const noexcept { return is_readable(lives_, 0); }
bool LifeCycle::ends_within(int milliseconds) const noexcept {
  return is_readable(end_.descriptor(), milliseconds);
}

// Until nothing is left to be heard, and what was on its way by a ring is on its way by the fabric.
void LifeCycle::follow() noexcept {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (int pause = kFirstPause; !visit() && (in_pause_ || std::chrono::steady_clock::now() < until);
       pause = std::min(2 * pause, kLongestPause))
    if (ends_within(pause)) return;
}

// True: there is nothing more to do.
bool LifeCycle::visit() noexcept {
  if (!domain_.gate.try_visit()) return false;
  core::Domain& core = domain_.core;
  core.neighbours()->look();
  for (core::Endpoint* endpoint : domain_.endpoints) endpoint->before_sleep();
  domain_.progress();
  const bool restless = std::ranges::any_of(
      domain_.endpoints, [](const core::Endpoint* each) { return each->restless(); });
  // Who announced it waits for us: no patience ends before that has.
  in_pause_ = core.neighbours()->restless();
  const bool untold = core.neighbours()->untold();
  domain_.gate.end_visit();
  return !restless && !in_pause_ && !untold && !is_told();
}

}  // namespace xs::abi
