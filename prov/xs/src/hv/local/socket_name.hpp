// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/socket.h>
#include <sys/un.h>

#include <cinttypes>
#include <cstddef>
#include <cstdio>

#include "hv/card.hpp"

namespace xs::hv {

// Where a process of that card can be called.
// Abstract: no file, gone with its process, and seen in one network namespace only.
struct SocketName {
  explicit SocketName(const Card& of) noexcept {
    address.sun_family = AF_UNIX;
    const int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                                     "xs-hv-%016" PRIx64 "%016" PRIx64 "-%" PRIu64, of.process.high,
                                     of.process.low, of.generation);
    size = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  }
  const struct sockaddr* get() const noexcept {
    return reinterpret_cast<const struct sockaddr*>(&address);
  }
  struct sockaddr_un address {};
  socklen_t size = 0;
};

}  // namespace xs::hv
