// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/socket.h>
#include <unistd.h>

#include "hv/unique_fd.hpp"

namespace xs::hv {

// The kernel's word on who is at the other end of a connected socket.
inline bool is_our_user(const UniqueFd& socket) noexcept {
  struct ucred peer {};
  socklen_t size = sizeof peer;
  return getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         size == sizeof peer && peer.uid == geteuid();
}

}  // namespace xs::hv
