// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/worker.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "procs/failure.hpp"

namespace xs::test {

void Channel::say(const std::string& line) const {
  checked(::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL), "saying something");
}

std::optional<std::string> Channel::hear(milliseconds within) const {
  struct pollfd waiting {
    fd_.get(), POLLIN, 0
  };
  if (poll(&waiting, 1, static_cast<int>(within.count())) == 0) return std::nullopt;
  std::array<char, 1024> line;
  const ssize_t got = recv(fd_.get(), line.data(), line.size(), 0);
  if (got <= 0) throw Failure("the other end of the channel is gone");
  return std::string(line.data(), static_cast<std::size_t>(got));
}

std::string Worker::hear() const {
  at("waiting for the driver");
  const auto line = channel_.hear(seconds(120));
  if (!line) throw Failure("nothing from the driver");
  return *line;
}

void Worker::at(const char* place) const {
  std::strncpy(board_.place, place, sizeof board_.place - 1);
}

}  // namespace xs::test
