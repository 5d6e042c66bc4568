// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "common/channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

// Driver and workers come from one build, so plain memory will do.
struct WireHead {
  Verb verb;
  std::uint32_t side;
  Task task;
  Timing timing;
};

sockaddr_un socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Failure("socket path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

UniqueFd new_socket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket", errno);
  return fd;
}

bool wait_readable(int fd, std::chrono::milliseconds patience) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace

Channel Channel::connect_to(const std::string& path) {
  const sockaddr_un address = socket_address(path);
  UniqueFd fd = new_socket();
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connect to " + path, errno);
  return Channel(std::move(fd));
}

void Channel::send(const Message& message) const {
  const WireHead head = {message.verb, message.side, message.task, message.timing};
  std::string packet(reinterpret_cast<const char*>(&head), sizeof head);
  packet.append(message.text, 0, kMaxText);
  if (::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0)
    fail("send to the other end of a channel", errno);
}

std::optional<Message> Channel::receive() const {
  std::vector<char> packet(sizeof(WireHead) + kMaxText);
  ssize_t length = 0;
  do {
    length = recv(fd_.get(), packet.data(), packet.size(), 0);
  } while (length < 0 && errno == EINTR);
  if (length < static_cast<ssize_t>(sizeof(WireHead))) return std::nullopt;
  WireHead head;
  std::memcpy(&head, packet.data(), sizeof head);
  return Message{head.verb, head.side, head.task, head.timing,
                 std::string(packet.data() + sizeof head, packet.data() + length)};
}

bool Channel::readable(std::chrono::milliseconds patience) const {
  return wait_readable(fd_.get(), patience);
}

Listener::Listener(std::string path) : path_(std::move(path)), fd_(new_socket()) {
  const sockaddr_un address = socket_address(path_);
  if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("bind to " + path_, errno);
  if (listen(fd_.get(), SOMAXCONN) != 0) fail("listen", errno);
}

Listener::~Listener() { unlink(path_.c_str()); }

std::optional<Channel> Listener::accept(std::chrono::milliseconds patience) const {
  if (!wait_readable(fd_.get(), patience)) return std::nullopt;
  UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return std::nullopt;
  return Channel(std::move(fd));
}

}  // namespace xs::bench
