// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An event queue that has to look for its events, and sleeping on one.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <ctime>

#include "abi/eq.hpp"
#include "abi/errno.hpp"
#include "abi/event_source.hpp"
#include "util/log.hpp"

namespace xs::abi {

namespace {

// Where FI_WAIT_MUTEX_COND is asked for, nobody would ring while the application sleeps on it.
bool may_have_sources(enum fi_wait_obj kind) noexcept { return kind != FI_WAIT_MUTEX_COND; }

bool wants_descriptor(enum fi_wait_obj kind) noexcept {
  return kind == FI_WAIT_FD || kind == FI_WAIT_POLLFD;
}

struct timespec time_in(int milliseconds) noexcept {
  struct timespec t {};
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_sec += milliseconds / 1000;
  t.tv_nsec += milliseconds % 1000 * 1'000'000L;
  if (t.tv_nsec >= 1'000'000'000L) {
    ++t.tv_sec;
    t.tv_nsec -= 1'000'000'000L;
  }
  return t;
}

}  // namespace

// ---- Sources ----

int Eq::add_source(Domain& domain) noexcept {
  if (!may_have_sources(wait_object_)) {
    util::log(util::Level::kInfo,
              "an event queue with FI_WAIT_MUTEX_COND can't have events of connections");
    return -FI_EINVAL;
  }
  const int rc = abi::control([&] {
    const std::lock_guard lock(sources_mutex_);
    for (const auto& source : sources_)
      if (&source->domain == &domain) {
        ++source->users;
        return 0;
      }
    auto source = std::make_unique<EventSource>(*this, domain);
    source->users = 1;
    // Only who sleeps needs a descriptor; but of one that was given away nobody knows.
    if (wants_descriptor(wait_object_))
      if (const int failed = watch(*source)) return failed;
    sources_.push_back(std::move(source));
    note_sources();
    return 0;
  });
  if (rc == 0) ring();  // who sleeps already has to look there too, by whatever he sleeps
  return rc;
}

void Eq::remove_source(Domain& domain) noexcept {
  const std::lock_guard lock(sources_mutex_);
  std::erase_if(sources_, [&](const auto& source) {
    return &source->domain == &domain && --source->users == 0;
  });
  note_sources();
}

void Eq::note_sources() noexcept {
  const std::lock_guard lock(mutex_);
  sourced_ = !sources_.empty();
}

bool Eq::has_sources() noexcept {
  const std::lock_guard lock(mutex_);
  return sourced_;
}

void Eq::progress() noexcept {
  const std::lock_guard lock(sources_mutex_);
  for (const auto& source : sources_) source->progress();
}

// With sources_mutex_, or of a source that nobody else knows.
int Eq::watch(EventSource& source) {
  if (source.is_watched()) return 0;
  const int rc = open_descriptor();
  return rc ? rc : source.watch_from(descriptor_);
}

void Eq::ring() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (bell_ >= 0) eventfd_write(bell_, 1);
  }
  wake();
}

// True: the descriptor becomes readable when anything comes. What was rung for is looked at now.
bool Eq::arm_sources() noexcept {
  quiet_bell();
  const std::lock_guard lock(sources_mutex_);
  for (const auto& source : sources_) {
    if (abi::control([&] { return watch(*source); }) != 0) return false;
    if (!source->try_wait()) return false;
  }
  return true;
}

// ---- Sleeping ----

void Eq::sleep_for_sources(const Deadline& deadline) noexcept {
  if (!arm_sources()) return;
  struct epoll_event event;
  epoll_wait(descriptor_, &event, 1, deadline.milliseconds_left());
}

void Eq::sleep_for_writers(const Deadline& deadline) noexcept {
  const int left = deadline.milliseconds_left();
  pthread_mutex_lock(&sleep_mutex_);
  // Whoever writes an event, or adds a source, rings after it, and only while nobody is here.
  if (!has_events() && !has_sources()) {
    if (left < 0) {
      pthread_cond_wait(&sleep_cond_, &sleep_mutex_);
    } else {
      const struct timespec until = time_in(left);
      pthread_cond_clockwait(&sleep_cond_, &sleep_mutex_, CLOCK_MONOTONIC, &until);
    }
  }
  pthread_mutex_unlock(&sleep_mutex_);
}

ssize_t Eq::wait_read(std::uint32_t* event, void* buffer, std::size_t size, int timeout,
                      bool peek) noexcept {
  const Deadline deadline(timeout);
  for (;;) {
    const bool late = deadline.passed();
    const ssize_t rc = read(event, buffer, size, peek);
    if (rc != -FI_EAGAIN || late) return rc;
    if (has_sources())
      sleep_for_sources(deadline);
    else
      sleep_for_writers(deadline);
  }
}

int Eq::try_wait() noexcept {
  if (has_events() || !arm_sources()) return -FI_EAGAIN;
  return has_events() ? -FI_EAGAIN : 0;
}

}  // namespace xs::abi
