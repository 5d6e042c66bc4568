// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The one descriptor that a backend can be waited for by.
#pragma once
#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>

#include "hv/unique_fd.hpp"

namespace xs::hv {

class Watch {
 public:
  explicit Watch(UniqueFd epoll) noexcept : epoll_(std::move(epoll)) {}
  int fd() const noexcept { return epoll_.get(); }

  // 0, or why not. `key` comes with what happens on the descriptor.
  int add(int fd, std::uint64_t key, std::uint32_t events) noexcept {
    return control(EPOLL_CTL_ADD, fd, key, events);
  }
  int change(int fd, std::uint64_t key, std::uint32_t events) noexcept {
    return control(EPOLL_CTL_MOD, fd, key, events);
  }
  // Before a descriptor is closed: where somebody else holds it too, closing ends no watch.
  void remove(int fd) noexcept {
    if (fd >= 0) control(EPOLL_CTL_DEL, fd, 0, 0);
  }

 private:
  int control(int operation, int fd, std::uint64_t key, std::uint32_t events) noexcept {
    struct epoll_event event {};
    event.events = events;
    event.data.u64 = key;
    return epoll_ctl(epoll_.get(), operation, fd, &event) == 0 ? 0 : errno;
  }

  UniqueFd epoll_;
};

}  // namespace xs::hv
