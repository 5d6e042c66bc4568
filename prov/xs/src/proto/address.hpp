// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "util/bytes.hpp"

namespace xs::proto {

// An IPv4 or IPv6 socket address, in the one form in which peers are compared, hashed and sent on
// the wire.
struct Address {
  std::uint16_t family = 0;  // 4, 6, or 0 for none
  std::uint16_t port = 0;    // host order
  std::uint32_t scope =
      0;  // IPv6 scope id, meaningful on this host only, still part of the identity here
  std::array<std::byte, 16> ip{};  // network order; IPv4 in the first four

  auto operator<=>(const Address&) const = default;
  explicit operator bool() const noexcept { return family != 0; }

  // nullopt for another family or a size that is too small.
  static std::optional<Address> from_sockaddr(const struct sockaddr* sa, std::size_t size) noexcept;
  // Writes sockaddr_in or sockaddr_in6; returns its size.
  std::size_t to_sockaddr(struct sockaddr_storage& out) const noexcept;
  std::size_t sockaddr_size() const noexcept;
  bool is_wildcard() const noexcept;
  // Whatever their ports are.
  bool same_host(const Address& other) const noexcept {
    return family == other.family && scope == other.scope && ip == other.ip;
  }
  std::string text() const;  // "192.0.2.1:4000", "[fe80::1]:4000"

  void encode(std::byte* to) const noexcept;  // kAddressSize bytes
  static std::optional<Address> decode(
      const std::byte* from) noexcept;  // nullopt: impossible value
};

}  // namespace xs::proto

template <>
struct std::hash<xs::proto::Address> {
  std::size_t operator()(const xs::proto::Address& a) const noexcept {
    std::uint64_t h =
        a.port * 0x9e3779b97f4a7c15ull ^ (static_cast<std::uint64_t>(a.scope) << 32 | a.family);
    h ^= xs::util::load<std::uint64_t>(a.ip.data()) * 0xff51afd7ed558ccdull;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ull ^ xs::util::load<std::uint64_t>(a.ip.data() + 8);
    return static_cast<std::size_t>(h ^ (h >> 29));
  }
};
