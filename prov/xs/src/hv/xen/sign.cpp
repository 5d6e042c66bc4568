// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/sign.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdio>

namespace xs::hv {

namespace {

// 0, or why not: EADDRINUSE if it is up already.
int put_up(const UniqueFd& socket, std::uint64_t process) noexcept {
  if (!socket) return errno;
  struct sockaddr_un name {};
  name.sun_family = AF_UNIX;
  const int size =
      std::snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "xs-xen/%016" PRIx64, process);
  const auto length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + 1 +
                                             static_cast<std::size_t>(size));
  return bind(socket.get(), reinterpret_cast<struct sockaddr*>(&name), length) == 0 ? 0 : errno;
}

UniqueFd new_socket() noexcept { return UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

}  // namespace

util::Result<bool> Sign::begin(std::uint64_t process) noexcept {
  struct stat status {};
  if (stat("/proc/self/ns/net", &status) != 0)
    return util::Error{errno, "/proc does not tell where this process lives"};
  network_ = status.st_ino;
  socket_ = new_socket();
  if (const int error = put_up(socket_, process))
    return util::Error{error, "no socket to be seen by"};
  return true;
}

// In doubt it is.
bool Sign::is_up(std::uint64_t process) noexcept { return put_up(new_socket(), process) != 0; }

}  // namespace xs::hv
