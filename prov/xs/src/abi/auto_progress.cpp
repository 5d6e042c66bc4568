// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/auto_progress.hpp"

#include <poll.h>

#include <system_error>

#include "abi/domain.hpp"

namespace xs::abi {

namespace {

QueueWait& opened(QueueWait& wait) {
  if (const int rc = wait.open()) throw std::system_error(-rc, std::generic_category());
  return wait;
}

}  // namespace

AutoProgress::AutoProgress(Domain& domain)
    : domain_(domain),
      wait_(*domain.waits, nothing_),
      thread_("xs-progress", [this, &wait = opened(wait_)] { run(); }) {}

void AutoProgress::run() noexcept {
  Sleeper self{0};
  while (!thread_.ends_within(0)) {
    const bool sleeps = pass(self);
    // Outside of the gate: who holds the mutex of a condition may be waiting for it.
    domain_.waits->signal_conditions();
    if (sleeps) sleep();
  }
  const Guard guard(domain_.gate);
  wait_.wakes(self);
}

// True: whatever comes from now on makes the descriptor readable.
bool AutoProgress::pass(Sleeper& self) noexcept {
  const Guard guard(domain_.gate);
  wait_.wakes(self);
  domain_.progress();
  if (!wait_.arm(self)) return false;
  wait_.falls_asleep(self);
  return true;
}

void AutoProgress::sleep() const noexcept {
  struct pollfd both[] = {{.fd = wait_.descriptor(), .events = POLLIN, .revents = 0},
                          {.fd = thread_.end(), .events = POLLIN, .revents = 0}};
  poll(both, 2, -1);
}

}  // namespace xs::abi
