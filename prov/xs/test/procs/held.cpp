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

bool is_for_sharing(const std::filesystem::path& descriptor) {
  std::error_code closed;  // by now: that of the directory itself
  const std::string target = std::filesystem::read_symlink(descriptor, closed);
  if (target.starts_with("/memfd:")) return true;
  const int number = std::stoi(descriptor.filename());
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  return getsockopt(number, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
         getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

long descriptors_held(std::uint16_t port) {
  long held = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    held += !is_accepted(std::stoi(each.path().filename()), port);
  return held;
}

long sharing_descriptors_held() {
  long held = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    held += is_for_sharing(each.path());
  return held;
}

long mappings_held(const std::string& text) {
  long held = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) held += line.find(text) != std::string::npos;
  return held;
}

}  // namespace xs::test
