// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/fabric_interfaces.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

namespace xs::carrier {

namespace {

bool all_hex(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Made by container engines and virtual machine managers with an address that is the same on every
// host, so peers on another host would find themselves there. Bridges that carry a real network
// (br0, xenbr0, xapi0) have other names.
bool is_stock_bridge(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 6> kPrefixes = {"docker", "virbr",  "lxcbr",
                                                                "lxdbr",  "podman", "cni"};
  const auto begins = [name](std::string_view prefix) { return name.starts_with(prefix); };
  if (std::any_of(kPrefixes.begin(), kPrefixes.end(), begins)) return true;
  return name.size() == 15 && name.starts_with("br-") &&
         all_hex(name.substr(3));  // a docker network
}

bool is_loopback(const proto::Address& address) noexcept {
  if (address.family == 4) return address.ip[0] == std::byte{127};
  proto::Address one;
  one.ip[15] = std::byte{1};
  return address.ip == one.ip;
}

bool is_link_local(const proto::Address& address) noexcept {
  const auto byte = [&](int i) { return std::to_integer<unsigned>(address.ip[i]); };
  if (address.family == 4) return byte(0) == 169 && byte(1) == 254;
  return byte(0) == 0xfe && (byte(1) & 0xc0) == 0x80;
}

bool same_network(const proto::Address& a, const proto::Address& b, unsigned bits) noexcept {
  if (a.family != b.family) return false;
  const unsigned whole = bits / 8;
  if (!std::equal(a.ip.begin(), a.ip.begin() + whole, b.ip.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::byte>(0xff00u >> (bits % 8));
  return (a.ip[whole] & mask) == (b.ip[whole] & mask);
}

proto::Address parse_ip(const std::string& text) noexcept {
  proto::Address address;
  if (inet_pton(AF_INET, text.c_str(), address.ip.data()) == 1) address.family = 4;
  if (inet_pton(AF_INET6, text.c_str(), address.ip.data()) == 1) address.family = 6;
  return address;
}

}  // namespace

std::vector<LocalAddress> local_addresses() {
  struct ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<struct ifaddrs, void (*)(struct ifaddrs*)> owner(list, freeifaddrs);
  std::vector<LocalAddress> found;
  for (const struct ifaddrs* i = list; i; i = i->ifa_next) {
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP)) continue;
    const bool v6 = i->ifa_addr->sa_family == AF_INET6;
    const std::size_t size = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (const auto address = proto::Address::from_sockaddr(i->ifa_addr, size)) {
      found.push_back({*address, i->ifa_name});
    }
  }
  return found;
}

InterfaceRule::InterfaceRule(const std::string& setting) {
  const std::size_t slash = setting.find('/');
  network_ = parse_ip(setting.substr(0, slash));
  const unsigned most = network_.family == 4 ? 32 : 128;
  prefix_bits_ = most;
  if (slash != std::string::npos) {
    const char* end = setting.data() + setting.size();
    const auto [stop, error] = std::from_chars(setting.data() + slash + 1, end, prefix_bits_);
    if (error != std::errc{} || stop != end || prefix_bits_ > most) network_ = {};
  }
  if (!network_) name_ = setting;
}

bool InterfaceRule::names(const LocalAddress& local) const noexcept {
  return network_ ? same_network(local.address, network_, prefix_bits_) : local.interface == name_;
}

std::optional<int> InterfaceRule::rank(const LocalAddress& local) const noexcept {
  const int rank = (local.address.family == 6 ? 1 : 0) + (is_link_local(local.address) ? 2 : 0);
  if (is_preference()) return names(local) ? std::optional(rank) : std::nullopt;
  if (is_stock_bridge(local.interface)) return std::nullopt;
  return is_loopback(local.address) ? rank + kLastResort : rank;
}

Substitute::Substitute(const proto::Address& address, const std::string& rule)
    : address_(address), rule_(rule) {
  address_.port = 0;
  for (LocalAddress& local : local_addresses())
    if (local.address == address_) interface_ = std::move(local.interface);
}

proto::Address Substitute::now() const noexcept try {
  // Less is better; nullopt is never.
  const auto order = [this](const LocalAddress& local) -> std::optional<int> {
    if (local.address.family != address_.family) return std::nullopt;
    if (local.address == address_) return -2;
    if (local.interface == interface_) return -1;
    return rule_.rank(local);
  };
  std::vector<LocalAddress> all = local_addresses();
  std::erase_if(all, [&](const LocalAddress& local) { return !order(local); });
  const auto best = std::ranges::min_element(all, std::less<>(), order);
  return best == all.end() ? proto::Address{} : best->address;
} catch (const std::bad_alloc&) {
  return address_;
}

}  // namespace xs::carrier
