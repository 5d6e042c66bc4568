// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/event_source.hpp"

#include <sys/epoll.h>

#include <cerrno>

#include "abi/eq.hpp"

namespace xs::abi {

bool EventsAwaited::has_news() const noexcept { return eq_.has_events(); }

EventSource::~EventSource() {
  const Guard guard(domain.gate);
  wait_.reset();
}

void EventSource::progress() noexcept {
  const Guard guard(domain.gate);
  domain.progress();
}

int EventSource::watch_from(int set) {
  const Guard guard(domain.gate);
  if (const int rc = domain.open_waits()) return rc;
  int rc = wait_.emplace(*domain.waits, awaited_).open();
  struct epoll_event event {};
  event.events = EPOLLIN;
  if (rc == 0 && epoll_ctl(set, EPOLL_CTL_ADD, wait_->descriptor(), &event) < 0) rc = -errno;
  if (rc) wait_.reset();
  return rc;
}

bool EventSource::try_wait() noexcept {
  const Guard guard(domain.gate);
  return wait_->try_wait();
}

}  // namespace xs::abi
