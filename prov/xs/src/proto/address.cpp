// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "proto/limits.hpp"

namespace xs::proto {

std::optional<Address> Address::from_sockaddr(const struct sockaddr* sa,
                                              std::size_t size) noexcept {
  if (!sa || size < sizeof sa->sa_family) return std::nullopt;
  Address a;
  if (sa->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
    struct sockaddr_in in {};
    std::memcpy(&in, sa, sizeof in);
    a.family = 4;
    a.port = ntohs(in.sin_port);
    std::memcpy(a.ip.data(), &in.sin_addr, 4);
    return a;
  }
  if (sa->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
    struct sockaddr_in6 in {};
    std::memcpy(&in, sa, sizeof in);
    a.family = 6;
    a.port = ntohs(in.sin6_port);
    a.scope = in.sin6_scope_id;
    std::memcpy(a.ip.data(), &in.sin6_addr, 16);
    return a;
  }
  return std::nullopt;
}

std::size_t Address::to_sockaddr(struct sockaddr_storage& out) const noexcept {
  std::memset(&out, 0, sizeof out);
  if (family == 4) {
    struct sockaddr_in in {};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, ip.data(), 4);
    std::memcpy(&out, &in, sizeof in);
  } else if (family == 6) {
    struct sockaddr_in6 in {};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_scope_id = scope;
    std::memcpy(&in.sin6_addr, ip.data(), 16);
    std::memcpy(&out, &in, sizeof in);
  }
  return sockaddr_size();
}

std::size_t Address::sockaddr_size() const noexcept {
  if (family == 4) return sizeof(struct sockaddr_in);
  if (family == 6) return sizeof(struct sockaddr_in6);
  return 0;
}

bool Address::is_wildcard() const noexcept { return ip == decltype(ip){}; }

std::string Address::text() const {
  char ip_text[INET6_ADDRSTRLEN] = "none";
  if (family == 4) inet_ntop(AF_INET, ip.data(), ip_text, sizeof ip_text);
  if (family == 6) inet_ntop(AF_INET6, ip.data(), ip_text, sizeof ip_text);
  const std::string host = family == 6 ? "[" + std::string(ip_text) + "]" : ip_text;
  return host + ":" + std::to_string(port);
}

void Address::encode(std::byte* to) const noexcept {
  std::memset(to, 0, kAddressSize);
  util::store<std::uint16_t>(to, family);
  util::store<std::uint16_t>(to + 2, htons(port));
  util::store<std::uint32_t>(to + 4, scope);
  std::memcpy(to + 8, ip.data(), ip.size());
}

std::optional<Address> Address::decode(const std::byte* from) noexcept {
  Address a;
  a.family = util::load<std::uint16_t>(from);
  a.port = ntohs(util::load<std::uint16_t>(from + 2));
  a.scope = util::load<std::uint32_t>(from + 4);
  std::memcpy(a.ip.data(), from + 8, a.ip.size());
  if ((a.family != 4 && a.family != 6) || a.port == 0) return std::nullopt;
  if (util::load<std::uint64_t>(from + 24) != 0) return std::nullopt;
  // Addresses are compared whole: what IPv4 does not use must not tell two spellings of one peer
  // apart.
  const auto is_zero = [](std::byte b) { return b == std::byte{}; };
  if (a.family == 4 && (a.scope != 0 || !std::all_of(a.ip.begin() + 4, a.ip.end(), is_zero)))
    return std::nullopt;
  return a;
}

}  // namespace xs::proto
