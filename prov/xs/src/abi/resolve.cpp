// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>

#include "util/log.hpp"

namespace xs::abi {

namespace {

using core::Address;

struct FreeList {
  void operator()(struct addrinfo* list) const noexcept { freeaddrinfo(list); }
};

std::optional<Address> ask(const std::string& node, const char* service, std::uint16_t family,
                           int flags) noexcept {
  struct addrinfo hints {};
  hints.ai_family = family == 6 ? AF_INET6 : AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  struct addrinfo* found = nullptr;
  if (getaddrinfo(node.c_str(), service, &hints, &found) != 0) return std::nullopt;
  const std::unique_ptr<struct addrinfo, FreeList> list(found);
  return Address::from_sockaddr(list->ai_addr, list->ai_addrlen);
}

// The address that is `steps` further, as the big-endian number that it is.
Address later(Address address, std::size_t steps) noexcept {
  const std::size_t size = address.family == 6 ? 16 : 4;
  std::size_t carry = steps;
  for (std::size_t i = size; i-- > 0 && carry > 0;) {
    carry += std::to_integer<std::size_t>(address.ip[i]);
    address.ip[i] = static_cast<std::byte>(carry & 0xff);
    carry >>= 8;
  }
  return address;
}

// The name whose trailing number is `steps` greater, with its zeros in front: node08, node09,
// node10.
std::string later(const std::string& name, std::size_t steps) {
  const std::size_t last = name.find_last_not_of("0123456789");
  const std::size_t begin = last == std::string::npos ? 0 : last + 1;
  std::size_t number = 0;
  if (begin < name.size()) std::from_chars(name.data() + begin, name.data() + name.size(), number);
  std::string digits = std::to_string(number + steps);
  const std::size_t width = name.size() - begin;
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return name.substr(0, begin) + digits;
}

std::optional<Address> node_address(const std::string& node, std::size_t index, const char* service,
                                    std::uint16_t family) {
  if (const auto numeric = ask(node, service, family, AI_NUMERICHOST))
    return later(*numeric, index);
  const std::string name = index == 0 ? node : later(node, index);
  const auto found = ask(name, service, family, 0);
  if (!found)
    util::log(util::Level::kWarn, "%s port %s has no IPv%u address", name.c_str(), service,
              static_cast<unsigned>(family));
  return found;
}

}  // namespace

std::vector<std::optional<Address>> resolve_range(const char* node, std::size_t nodes,
                                                  const char* service, std::size_t services,
                                                  std::uint16_t family) {
  std::vector<std::optional<Address>> all;
  for (std::size_t n = 0; n < nodes; ++n) {
    const auto first = node_address(node, n, service, family);
    for (std::size_t s = 0; s < services; ++s) {
      all.push_back(first);
      if (!first) continue;
      if (first->port + s > 0xffff)
        all.back().reset();
      else
        all.back()->port = static_cast<std::uint16_t>(first->port + s);
    }
  }
  return all;
}

}  // namespace xs::abi
