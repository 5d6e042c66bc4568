// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/life_cycle.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>

#include "abi/domain.hpp"

namespace xs::abi {

namespace {

// The application may be about to look by itself: less is left to do then.
constexpr int kGrace = 50;  // ms
// Between two visits: while there is something to do they get rarer.
constexpr int kFirstPause = 1, kLongestPause = 64;  // ms
// Then it is up to the application, as ever, until something happens again.
constexpr std::chrono::seconds kPatience{10};

}  // namespace

LifeCycle::LifeCycle(Domain& domain, int lives)
    : domain_(domain), lives_(lives), thread_("xs-life", [this] { run(); }) {}

void LifeCycle::run() noexcept {
  struct pollfd both[] = {{.fd = lives_, .events = POLLIN, .revents = 0},
                          {.fd = thread_.end(), .events = POLLIN, .revents = 0}};
  while (poll(both, 2, -1) < 0 || both[1].revents == 0) {
    if (thread_.ends_within(kGrace)) return;
    follow();
  }
}

bool LifeCycle::is_told() const noexcept {
  struct pollfd look = {.fd = lives_, .events = POLLIN, .revents = 0};
  return poll(&look, 1, 0) > 0;
}

// Until nothing is left to be heard, and what was on its way by a ring is on its way by the fabric.
void LifeCycle::follow() noexcept {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (int pause = kFirstPause; !visit() && (in_pause_ || std::chrono::steady_clock::now() < until);
       pause = std::min(2 * pause, kLongestPause))
    if (thread_.ends_within(pause)) return;
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
