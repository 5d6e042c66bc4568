// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "common/channel.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

// Driver and workers come from one build, so plain memory will do.
struct WireHead {
  Verb verb;
  std::uint32_t side;
  std::uint32_t length;  // of the text that follows
  Task task;
  Timing timing;
};

// What a stream socket is bound or connected to.
struct Name {
  union {
    sockaddr any;
    sockaddr_un path;
    sockaddr_in place;
  };
  socklen_t length;
};

bool is_path(const std::string& where) { return where.find('/') != std::string::npos; }

Name path_name(const std::string& path) {
  Name name = {};
  name.path.sun_family = AF_UNIX;
  name.length = sizeof name.path;
  if (path.size() >= sizeof name.path.sun_path) throw Failure("socket path too long: " + path);
  std::memcpy(name.path.sun_path, path.c_str(), path.size() + 1);
  return name;
}

// ADDRESS or ADDRESS:PORT; any port if there is none.
Name place_name(const std::string& place) {
  Name name = {};
  name.place.sin_family = AF_INET;
  name.length = sizeof name.place;
  const std::size_t colon = place.find(':');
  if (colon != std::string::npos)
    name.place.sin_port = htons(static_cast<std::uint16_t>(std::atoi(place.c_str() + colon + 1)));
  if (inet_pton(AF_INET, place.substr(0, colon).c_str(), &name.place.sin_addr) != 1)
    throw Failure("neither a path nor an address: " + place);
  return name;
}

Name name_of(const std::string& where) {
  return is_path(where) ? path_name(where) : place_name(where);
}

UniqueFd new_socket(const Name& name) {
  UniqueFd fd(socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket", errno);
  return fd;
}

// A Unix socket has no such option.
void send_at_once(const UniqueFd& fd) {
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

bool receive_all(int fd, void* memory, std::size_t length) {
  ssize_t got = 0;
  do {
    got = recv(fd, memory, length, MSG_WAITALL);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(length);
}

bool wait_readable(int fd, std::chrono::milliseconds patience) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace

Channel Channel::connect_to(const std::string& place) {
  const Name name = name_of(place);
  UniqueFd fd = new_socket(name);
  if (connect(fd.get(), &name.any, name.length) != 0) fail("connect to " + place, errno);
  send_at_once(fd);
  return Channel(std::move(fd));
}

// All messages are as long as their text makes them, so what is sent is short and goes at once.
void Channel::send(const Message& message) const {
  const std::size_t length = std::min(message.text.size(), kMaxText);
  const WireHead head = {message.verb, message.side, static_cast<std::uint32_t>(length),
                         message.task, message.timing};
  std::string packet(reinterpret_cast<const char*>(&head), sizeof head);
  packet.append(message.text, 0, length);
  if (::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(packet.size()))
    fail("send to the other end of a channel", errno);
}

std::optional<Message> Channel::receive() const {
  WireHead head;
  if (!receive_all(fd_.get(), &head, sizeof head) || head.length > kMaxText) return std::nullopt;
  std::string text(head.length, '\0');
  if (head.length > 0 && !receive_all(fd_.get(), text.data(), text.size())) return std::nullopt;
  return Message{head.verb, head.side, head.task, head.timing, std::move(text)};
}

bool Channel::readable(std::chrono::milliseconds patience) const {
  return wait_readable(fd_.get(), patience);
}

Listener::Listener(std::string where) : place_(std::move(where)), fd_(new_socket(name_of(place_))) {
  Name name = name_of(place_);
  if (bind(fd_.get(), &name.any, name.length) != 0) fail("bind to " + place_, errno);
  if (listen(fd_.get(), SOMAXCONN) != 0) fail("listen", errno);
  if (is_path(place_)) return;
  if (getsockname(fd_.get(), &name.any, &name.length) != 0) fail("getsockname", errno);
  place_ = place_.substr(0, place_.find(':')) + ':' + std::to_string(ntohs(name.place.sin_port));
}

Listener::~Listener() {
  if (is_path(place_)) unlink(place_.c_str());
}

std::optional<Channel> Listener::accept(std::chrono::milliseconds patience) const {
  if (!wait_readable(fd_.get(), patience)) return std::nullopt;
  UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return std::nullopt;
  send_at_once(fd);
  return Channel(std::move(fd));
}

}  // namespace xs::bench
