// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/fabric_probe.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace xs::carrier {

namespace {

// Unanswered keep-alive segments that end a connection.
constexpr int kKeepAlives = 3;

}  // namespace

util::Result<std::unique_ptr<Probe>> TcpProbe::start(const proto::Address& address,
                                                     util::Nanoseconds timeout) noexcept {
  const int family = address.family == 6 ? AF_INET6 : AF_INET;
  const int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return util::Error{errno, "socket for a probe"};
  std::unique_ptr<TcpProbe> probe(new (std::nothrow)
                                      TcpProbe(descriptor, util::SystemClock().now() + timeout));
  if (!probe) {
    close(descriptor);
    return util::Error{ENOMEM, "probe"};
  }
  probe->connect(address, timeout);
  return std::unique_ptr<Probe>(std::move(probe));
}

TcpProbe::~TcpProbe() { close(descriptor_); }

void TcpProbe::set(int level, int option, int value) noexcept {
  setsockopt(descriptor_, level, option, &value, sizeof value);
}

void TcpProbe::connect(const proto::Address& address, util::Nanoseconds timeout) noexcept {
  const struct linger reset_on_close = {.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &reset_on_close, sizeof reset_on_close);
  // One idle time and kKeepAlives intervals, all alike, make the timeout.
  const auto interval = std::max<std::uint64_t>(timeout / util::kSecond / (kKeepAlives + 1), 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(std::min<std::uint64_t>(interval, 32767)));
  set(IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(std::min<std::uint64_t>(interval, 32767)));
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepAlives);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  struct sockaddr_storage room;
  const auto size = static_cast<socklen_t>(address.to_sockaddr(room));
  const int rc = ::connect(descriptor_, reinterpret_cast<const struct sockaddr*>(&room), size);
  if (rc == 0 || errno != EINPROGRESS) state_ = connected(rc ? errno : 0);
}

ProbeState TcpProbe::connected(int error) noexcept {
  if (error == 0) return ProbeState::kAlive;
  return error == ECONNREFUSED ? ProbeState::kRefused : ProbeState::kSilent;
}

// What the far side may write is of no interest.
ProbeState TcpProbe::still_connected() noexcept {
  char dropped[256];
  const ssize_t got = recv(descriptor_, dropped, sizeof dropped, 0);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return ProbeState::kAlive;
  return got == 0 || errno == ECONNRESET ? ProbeState::kClosed : ProbeState::kSilent;
}

ProbeState TcpProbe::poll() noexcept {
  if (state_ == ProbeState::kAlive) {
    state_ = still_connected();
  } else if (state_ == ProbeState::kWaiting) {
    struct pollfd ready = {.fd = descriptor_, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) == 1) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
      state_ = connected(error);
    } else if (util::SystemClock().now() >= deadline_) {
      state_ = ProbeState::kSilent;
    }
  }
  return state_;
}

}  // namespace xs::carrier
