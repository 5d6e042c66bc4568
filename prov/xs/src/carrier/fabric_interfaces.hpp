// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which of this host's addresses inner endpoints may have.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "proto/address.hpp"

namespace xs::carrier {

struct LocalAddress {
  proto::Address address;  // port 0
  std::string interface;
};

// The addresses of all interfaces that are up. May throw bad_alloc.
std::vector<LocalAddress> local_addresses();

// One setting of FI_XS_IFACE: an interface name, an address, or address/prefix length; empty for no
// preference.
class InterfaceRule {
 public:
  explicit InterfaceRule(const std::string& setting);

  // How willingly an address is used: less is better, nullopt is never. Without a preference,
  // bridges that many hosts have are never used and loopback addresses are ranked kLastResort or
  // worse.
  std::optional<int> rank(const LocalAddress& local) const noexcept;
  static constexpr int kLastResort = 16;

  bool is_preference() const noexcept { return !name_.empty() || network_; }

 private:
  bool names(const LocalAddress& local) const noexcept;

  std::string name_;
  proto::Address network_;
  unsigned prefix_bits_ = 0;
};

// What takes the place of an address of this machine that it may lose.
class Substitute {
 public:
  // Throws bad_alloc.
  Substitute(const proto::Address& address, const std::string& rule);
  // Port 0. The address while the machine has it; else one of its family that its interface has
  // now, or the best one elsewhere that the rule allows; none: there is none.
  proto::Address now() const noexcept;

 private:
  proto::Address address_;
  InterfaceRule rule_;
  std::string interface_;  // that has it
};

}  // namespace xs::carrier
