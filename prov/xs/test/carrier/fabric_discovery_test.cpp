// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "carrier/fabric_inner.hpp"
#include "carrier/fabric_interfaces.hpp"
#include "util/log.hpp"

namespace xs::carrier {
namespace {

using proto::Address;

Address source(const InfoPtr& info) {
  const auto* sa = static_cast<const struct sockaddr*>(info->src_addr);
  return Address::from_sockaddr(sa, info->src_addrlen).value_or(Address{});
}

Address destination(const InfoPtr& info) {
  const auto* sa = static_cast<const struct sockaddr*>(info->dest_addr);
  return Address::from_sockaddr(sa, info->dest_addrlen).value_or(Address{});
}

FabricQuery on_loopback() {
  FabricQuery query;
  query.interface = "127.0.0.1";
  return query;
}

struct sockaddr_in loopback(std::uint16_t port) {
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::string warnings;
void note(util::Level level, const char* text) noexcept {
  if (level == util::Level::kWarn) warnings += text;
}
bool all(util::Level) noexcept { return true; }

class Discovery : public testing::Test {
 protected:
  void SetUp() override {
    warnings.clear();
    util::set_log_sink(note, all);
  }
  void TearDown() override { util::set_log_sink(nullptr, nullptr); }
};

TEST_F(Discovery, FindsOneProviderWithDistinctConcreteAddresses) {
  const auto infos = discover({});
  ASSERT_FALSE(infos.empty());
  for (const InfoPtr& info : infos) {
    EXPECT_STREQ(info->fabric_attr->prov_name, infos.front()->fabric_attr->prov_name);
    EXPECT_EQ(info->ep_attr->type, FI_EP_RDM);
    EXPECT_TRUE(source(info));
    EXPECT_FALSE(source(info).is_wildcard());
    EXPECT_EQ(source(info).port, 0);
    EXPECT_FALSE(destination(info));
    const auto same = [&](const InfoPtr& other) { return source(other) == source(info); };
    EXPECT_EQ(std::count_if(infos.begin(), infos.end(), same), 1);
  }
  EXPECT_EQ(warnings, "");
}

TEST_F(Discovery, LoopbackOnlyIfNothingElseIsUp) {
  const InterfaceRule rule("");
  const auto is_ordinary = [&](const LocalAddress& local) {
    return rule.rank(local).value_or(InterfaceRule::kLastResort) < InterfaceRule::kLastResort;
  };
  std::vector<Address> loopback;
  bool others = false;
  for (const LocalAddress& local : local_addresses()) {
    others |= is_ordinary(local);
    if (!is_ordinary(local)) loopback.push_back(local.address);
  }
  for (const InfoPtr& info : discover({})) {
    const bool found = std::count(loopback.begin(), loopback.end(), source(info)) > 0;
    EXPECT_EQ(found, !others) << source(info).text();
  }
}

TEST_F(Discovery, FollowsTheInterface) {
  const auto infos = discover(on_loopback());
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(source(infos.front()).text(), "127.0.0.1:0");
}

TEST_F(Discovery, SaysWhichInterfaceIsMissing) {
  FabricQuery query;
  query.interface = "none-such0";
  EXPECT_TRUE(discover(query).empty());
  EXPECT_NE(warnings.find("FI_XS_IFACE=none-such0"), std::string::npos) << warnings;
}

TEST_F(Discovery, TakesExactlyTheNamedProvider) {
  FabricQuery query = on_loopback();
  query.provider = "tcp;ofi_rxm";
  const auto infos = discover(query);
  ASSERT_FALSE(infos.empty());
  EXPECT_STREQ(infos.front()->fabric_attr->prov_name, "tcp;ofi_rxm");
}

TEST_F(Discovery, SaysWhichProviderIsMissing) {
  FabricQuery query = on_loopback();
  query.provider = "none-such";
  EXPECT_TRUE(discover(query).empty());
  EXPECT_NE(warnings.find("FI_XS_FALLBACK=none-such"), std::string::npos) << warnings;
}

TEST_F(Discovery, ServiceOfOurOwnIsSpelledOut) {
  FabricQuery query = on_loopback();
  query.service = "4711";
  query.flags = FI_SOURCE;
  const auto infos = discover(query);
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(source(infos.front()).text(), "127.0.0.1:4711");
}

TEST_F(Discovery, WildcardSourceFromHintsIsSpelledOut) {
  FabricQuery query = on_loopback();
  struct sockaddr_in any = loopback(4712);
  any.sin_addr.s_addr = INADDR_ANY;
  query.src_addr = &any;
  query.src_addrlen = sizeof any;
  const auto infos = discover(query);
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(source(infos.front()).text(), "127.0.0.1:4712");
}

TEST_F(Discovery, OwnSourceStandsAgainstTheInterfaceRule) {
  FabricQuery query = on_loopback();
  query.node = "127.0.0.2";
  query.service = "4713";
  query.flags = FI_SOURCE | FI_NUMERICHOST;
  const auto infos = discover(query);
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(source(infos.front()).text(), "127.0.0.2:4713");
}

TEST_F(Discovery, DestinationIsKept) {
  FabricQuery query;
  query.node = "127.0.0.1";
  query.service = "4714";
  const auto by_name = discover(query);
  ASSERT_EQ(by_name.size(), 1u);
  EXPECT_EQ(destination(by_name.front()).text(), "127.0.0.1:4714");
  EXPECT_EQ(source(by_name.front()).text(), "127.0.0.1:0");

  FabricQuery hinted;
  const struct sockaddr_in to = loopback(4715);
  hinted.dest_addr = &to;
  hinted.dest_addrlen = sizeof to;
  const auto by_hint = discover(hinted);
  ASSERT_EQ(by_hint.size(), 1u);
  EXPECT_EQ(destination(by_hint.front()).text(), "127.0.0.1:4715");
}

TEST_F(Discovery, FamilyIsAsAsked) {
  FabricQuery query;
  query.addr_format = FI_SOCKADDR_IN;
  const auto v4 = discover(query);
  EXPECT_FALSE(v4.empty());
  for (const InfoPtr& info : v4) EXPECT_EQ(source(info).family, 4);
  query.addr_format = FI_SOCKADDR_IN6;  // which this host may not have
  for (const InfoPtr& info : discover(query)) EXPECT_EQ(source(info).family, 6);
}

TEST_F(Discovery, UnknownNodeIsNoInfo) {
  FabricQuery query;
  query.node = "not an address";
  query.flags = FI_NUMERICHOST;
  EXPECT_TRUE(discover(query).empty());
  EXPECT_EQ(warnings, "");
}

}  // namespace
}  // namespace xs::carrier
