// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/fabric_interfaces.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace xs::carrier {
namespace {

LocalAddress local(const char* interface, const char* ip) {
  LocalAddress made;
  made.interface = interface;
  auto& [family, port, scope, bytes] = made.address;
  family = inet_pton(AF_INET, ip, bytes.data()) == 1 ? 4 : 6;
  EXPECT_TRUE(family == 4 || inet_pton(AF_INET6, ip, bytes.data()) == 1) << ip;
  return made;
}

bool allows(const char* setting, const LocalAddress& address) {
  return InterfaceRule(setting).rank(address).has_value();
}

TEST(InterfaceRule, WithoutPreferenceTakesOrdinaryInterfaces) {
  EXPECT_FALSE(InterfaceRule("").is_preference());
  EXPECT_TRUE(allows("", local("eth0", "192.0.2.2")));
  EXPECT_TRUE(allows("", local("enX0", "2001:db8::1")));
  EXPECT_TRUE(allows("", local("br0", "192.0.2.2")));
  EXPECT_TRUE(allows("", local("xenbr0", "192.0.2.2")));
  EXPECT_TRUE(allows("", local("br-storage", "192.0.2.2")));
  EXPECT_TRUE(allows("", local("eth0", "192.168.122.7"))) << "a guest of libvirt";
}

TEST(InterfaceRule, WithoutPreferenceShunsBridgesThatManyHostsHave) {
  for (const char* name :
       {"docker0", "virbr0", "virbr12", "lxcbr0", "lxdbr0", "podman0", "cni0", "br-0123456789ab"}) {
    EXPECT_FALSE(allows("", local(name, "172.17.0.1"))) << name;
    EXPECT_TRUE(allows(name, local(name, "172.17.0.1"))) << name;
  }
}

TEST(InterfaceRule, RanksLoopbackLastUnlessNamed) {
  EXPECT_LT(InterfaceRule("").rank(local("eth0", "fe80::1")), InterfaceRule::kLastResort);
  EXPECT_GE(InterfaceRule("").rank(local("lo", "127.0.0.1")), InterfaceRule::kLastResort);
  EXPECT_GE(InterfaceRule("").rank(local("lo", "::1")), InterfaceRule::kLastResort);
  EXPECT_LT(InterfaceRule("lo").rank(local("lo", "127.0.0.1")), InterfaceRule::kLastResort);
}

TEST(InterfaceRule, PrefersIpv4ThenGlobalThenLinkLocal) {
  const InterfaceRule rule("");
  const auto v4 = rule.rank(local("eth0", "192.0.2.2"));
  const auto v6 = rule.rank(local("eth0", "2001:db8::2"));
  const auto link = rule.rank(local("eth0", "fe80::2"));
  const auto link4 = rule.rank(local("eth0", "169.254.1.1"));
  EXPECT_LT(v4, v6);
  EXPECT_LT(v6, link4);
  EXPECT_LT(link4, link);
}

TEST(InterfaceRule, NameIsWhole) {
  EXPECT_TRUE(allows("eth0", local("eth0", "192.0.2.2")));
  EXPECT_FALSE(allows("eth", local("eth0", "192.0.2.2")));
  EXPECT_FALSE(allows("eth0", local("eth01", "192.0.2.2")));
}

TEST(InterfaceRule, AddressIsWhole) {
  EXPECT_TRUE(allows("192.0.2.2", local("eth0", "192.0.2.2")));
  EXPECT_FALSE(allows("192.0.2.2", local("eth0", "192.0.2.3")));
  EXPECT_TRUE(allows("2001:db8::2", local("eth0", "2001:db8::2")));
  EXPECT_FALSE(allows("2001:db8::2", local("eth0", "192.0.2.2")));
}

TEST(InterfaceRule, PrefixComparesItsBits) {
  EXPECT_TRUE(allows("192.0.2.0/24", local("eth0", "192.0.2.255")));
  EXPECT_FALSE(allows("192.0.2.0/24", local("eth0", "192.0.3.1")));
  EXPECT_TRUE(allows("10.32.0.0/11", local("eth0", "10.63.255.1")));
  EXPECT_FALSE(allows("10.32.0.0/11", local("eth0", "10.64.0.1")));
  EXPECT_TRUE(allows("0.0.0.0/0", local("eth0", "198.51.100.9")));
  EXPECT_FALSE(allows("0.0.0.0/0", local("eth0", "2001:db8::1")));
  EXPECT_TRUE(allows("2001:db8::/61", local("eth0", "2001:db8:0:7::1")));
  EXPECT_FALSE(allows("2001:db8::/61", local("eth0", "2001:db8:0:8::1")));
  EXPECT_TRUE(allows("192.0.2.2/32", local("eth0", "192.0.2.2")));
}

TEST(InterfaceRule, WhatIsNoPrefixNamesNothing) {
  for (const char* setting : {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "192.0.2.0/-1",
                              "192.0.2.0/24/7", "2001:db8::/129", "192.0.2", "/24"}) {
    EXPECT_TRUE(InterfaceRule(setting).is_preference()) << setting;
    EXPECT_FALSE(allows(setting, local("eth0", "192.0.2.2"))) << setting;
  }
}

TEST(LocalAddresses, ContainLoopback) {
  const auto all = local_addresses();
  const auto is_loopback = [](const LocalAddress& l) {
    return l.interface == "lo" && l.address == local("lo", "127.0.0.1").address;
  };
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), is_loopback));
}

proto::Address address(const char* ip) { return local("", ip).address; }

TEST(Substitute, IsTheAddressItselfAsLongAsItIsThere) {
  proto::Address bound = address("127.0.0.1");
  bound.port = 4711;
  EXPECT_EQ(Substitute(bound, "").now(), address("127.0.0.1"));
  EXPECT_EQ(Substitute(bound, "192.0.2.0/24").now(), address("127.0.0.1")) << "whatever the rule";
}

TEST(Substitute, IsWhatTheRuleAllowsInstead) {
  EXPECT_EQ(Substitute(address("192.0.2.77"), "127.0.0.0/8").now(), address("127.0.0.1"));
}

TEST(Substitute, IsNothingWhereThereIsNothing) {
  EXPECT_FALSE(Substitute(address("192.0.2.77"), "nothing-is-called-so").now());
  EXPECT_FALSE(Substitute(address("192.0.2.77"), "::1/128").now()) << "another family";
}

}  // namespace
}  // namespace xs::carrier
