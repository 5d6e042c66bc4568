// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process in dom0, over a fake of Xen: a domain as any other, whose number is 0. That it keeps
// the contract is shown by XenFakeDom0 (contract/hv_xen_fake_test.cpp).
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "hv/fake/xen.hpp"
#include "hv/hv_rig.hpp"
#include "hv/xen/home.hpp"
#include "hv/xen/xen.hpp"

namespace xs::test {

namespace {

using hv::LinkState;

struct Party {
  std::shared_ptr<FakeXenCalls> calls;
  std::unique_ptr<hv::Xen> xen;
  std::unique_ptr<hv::Link> link;
  Told told;
};

class HvXenDom0 : public testing::Test {
 protected:
  Party party(std::shared_ptr<FakeXenCalls> calls) {
    Party made{.calls = std::move(calls), .xen = {}, .link = {}, .told = {}};
    const hv::Card card{
        .host = {1, ++parties_}, .process = {random_.next(), random_.next()}, .generation = 1};
    auto opened = hv::Xen::open(made.calls, card, random_);
    if (opened) made.xen = std::move(*opened);
    return made;
  }
  static void meet(Party& one, Party& other) {
    one.link = std::move(*one.xen->meet(other.xen->card()));
    other.link = std::move(*other.xen->meet(one.xen->card()));
    for (int i = 0; i < 20; ++i)
      for (Party* each : {&one, &other}) each->xen->progress(each->told);
  }
  static void expect_ring_can_stand(Party& one, Party& other) {
    ASSERT_EQ(one.link->state(), LinkState::kOpen);
    ASSERT_EQ(other.link->state(), LinkState::kOpen);
    auto ours = one.link->share(2), theirs = other.link->share(2);
    ASSERT_TRUE(ours && theirs);
    EXPECT_TRUE(other.link->map((*ours)->offer()));
    EXPECT_TRUE(one.link->map((*theirs)->offer()));
  }
  static std::string node_of(const Party& party) {
    return hv::node_of(party.xen->card().domid, party.xen->card().process).data();
  }

  FakeXen machine_;
  util::SystemRandom random_;
  std::uint64_t parties_ = 0;
};

TEST_F(HvXenDom0, HasRingsWithAGuest) {
  Party dom0 = party(machine_.connect(0)), guest = party(machine_.connect(4));
  ASSERT_TRUE(dom0.xen);
  EXPECT_EQ(dom0.xen->card().domid, 0u);
  meet(dom0, guest);
  expect_ring_can_stand(dom0, guest);
}

TEST_F(HvXenDom0, IsNotMappedByItself) {
  Party one = party(machine_.connect(0)), other = party(machine_.connect(0));
  ASSERT_TRUE(one.xen && other.xen);
  EXPECT_EQ(one.xen->meet(other.xen->card()).error().code, EHOSTUNREACH);
}

TEST_F(HvXenDom0, WhoIsNoDomainIsNotTakenForIt) {
  Party guest = party(machine_.connect(4));
  hv::Card card = guest.xen->card();
  ++card.process.low;
  card.domid = hv::kNoDomid;
  EXPECT_EQ(guest.xen->meet(card).error().code, EHOSTUNREACH);
  EXPECT_EQ(machine_.granted(), 0u);
}

TEST_F(HvXenDom0, WhatAKilledProcessLeftIsRemovedByTheNextOne) {
  Party first = party(machine_.connect(0));
  ASSERT_TRUE(first.xen);
  const std::string left = node_of(first);
  first.calls->kill();
  first.xen.reset();
  ASSERT_NE(machine_.value(left), "");
  Party next = party(machine_.connect(0));
  EXPECT_EQ(machine_.value(left), "");
}

// Somebody removes what the store has of dom0, or the store begins anew: then nothing of it is
// known to others any more, as after a move.
TEST_F(HvXenDom0, AStoreThatHasForgottenItIsToldAgain) {
  Party dom0 = party(machine_.connect(0)), guest = party(machine_.connect(4));
  ASSERT_TRUE(dom0.xen);
  meet(dom0, guest);
  machine_.remove(node_of(dom0));
  machine_.put("/local/domain/0/data/xs-here", "");  // the watch fires by itself
  for (int i = 0; i < 20; ++i)
    for (Party* each : {&dom0, &guest}) each->xen->progress(each->told);
  EXPECT_EQ(dom0.told.moves, 1u);
  EXPECT_EQ(dom0.xen->card().generation, 2u);
  EXPECT_NE(machine_.value(node_of(dom0)), "");
  dom0.link.reset();
  guest.link.reset();
  meet(dom0, guest);
  expect_ring_can_stand(dom0, guest);
}

// Of a store that says nothing of this domain nothing is believed.
TEST_F(HvXenDom0, WithoutANumberThereIsNoXen) {
  auto calls = machine_.connect(0);
  machine_.remove("/local/domain/0/domid");
  EXPECT_FALSE(party(calls).xen);
  EXPECT_EQ(machine_.nodes(), 0u) << "nor is anything written";
}

// What a connection can read; asked by either.
hv::Home home_of(std::initializer_list<std::string_view> nodes) {
  return hv::Home::find([&](std::string_view path) {
    return std::find(nodes.begin(), nodes.end(), path) != nodes.end();
  });
}

TEST(HvXenHome, ADevicesConnectionIsItsDomains) {
  for (const hv::Home& home : {home_of({"domid"}), home_of({"domid", "/local/domain/0/domid"})}) {
    EXPECT_STREQ(home.outside("data/xs").data(), "data/xs");
    EXPECT_STREQ(home.outside("/local/domain/3/data/xs").data(), "/local/domain/3/data/xs");
    EXPECT_STREQ(home.inside("data/xs/1"), "data/xs/1");
    EXPECT_STREQ(home.inside("/local/domain/0/data/xs"), "/local/domain/0/data/xs")
        << "a guest's peer in dom0";
  }
}

// Root's libxenstore takes the daemon's socket, where a path that is relative is below "/".
TEST(HvXenHome, ASocketsConnectionIsDom0s) {
  const hv::Home home = home_of({"/local/domain/0/domid"});
  EXPECT_STREQ(home.outside("domid").data(), "/local/domain/0/domid");
  EXPECT_STREQ(home.outside("/local/domain/3/data/xs").data(), "/local/domain/3/data/xs");
  EXPECT_STREQ(home.inside("/local/domain/0/data/xs/1"), "data/xs/1");
  EXPECT_STREQ(home.inside("/local/domain/3/data/xs/1"), "/local/domain/3/data/xs/1");
  EXPECT_STREQ(home.inside("/local/domain/01/x"), "/local/domain/01/x");
}

TEST(HvXenHome, AStoreThatKnowsNoDomainIsLeftAsItIs) {
  EXPECT_STREQ(home_of({}).outside("domid").data(), "domid");
}

}  // namespace

}  // namespace xs::test
