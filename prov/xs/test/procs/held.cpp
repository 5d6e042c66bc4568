// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/held.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>

namespace xs::test {

namespace {

// Nothing else has that port.
bool is_accepted(int descriptor, std::uint16_t port) {
  struct sockaddr_in name {};
  socklen_t size = sizeof name;
  return getsockname(descriptor, reinterpret_cast<struct sockaddr*>(&name), &size) == 0 &&
         name.sin_family == AF_INET && ntohs(name.sin_port) == port;
}

}  // namespace

long descriptors_held(std::uint16_t port) {
  long held = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    held += !is_accepted(std::stoi(each.path().filename()), port);
  return held;
}

long mappings_held(const std::string& text) {
  long held = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) held += line.find(text) != std::string::npos;
  return held;
}

}  // namespace xs::test
