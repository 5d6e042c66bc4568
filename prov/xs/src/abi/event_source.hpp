// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whose progress may bring events: docs/connections.md section 6.
#pragma once
#include <cstddef>
#include <optional>

#include "abi/domain.hpp"
#include "abi/wait.hpp"

namespace xs::abi {

// Sleepers on an event queue wait for any event.
class EventsAwaited final : public Awaited {
 public:
  explicit EventsAwaited(Eq& eq) noexcept : eq_(eq) {}
  bool ends(const Sleeper&) const noexcept override { return has_news(); }
  bool has_news() const noexcept override;

 private:
  Eq& eq_;
};

// A domain that an event queue has to look at.
class EventSource {
 public:
  EventSource(Eq& eq, Domain& of) noexcept : domain(of), awaited_(eq) {}
  ~EventSource();
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  void progress() noexcept;
  // From now on that epoll set tells of what comes. 0 or a negative errno; throws bad_alloc.
  int watch_from(int set);
  bool is_watched() const noexcept { return wait_.has_value(); }
  // As fi_trywait.
  bool try_wait() noexcept;

  Domain& domain;
  std::size_t users = 0;  // endpoints of that domain that are bound to the queue

 private:
  const EventsAwaited awaited_;
  std::optional<QueueWait> wait_;
};

}  // namespace xs::abi
