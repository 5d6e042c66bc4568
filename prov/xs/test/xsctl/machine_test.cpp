// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How xsctl asks Xen's libraries, without Xen.
#include "dom0/xen/machine.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "xsctl/libraries.hpp"

namespace xs::test {

namespace {

using dom0::State;

class XsctlMachine : public testing::Test {
 protected:
  XsctlMachine() { libraries = FakeLibraries(); }
  void begin() {
    auto opened = dom0::open_xen();
    ASSERT_TRUE(opened);
    machine_ = std::move(*opened);
  }
  static void add(std::uint16_t id, std::uint32_t flags) {
    xc_domaininfo_t info{};
    info.domain = id;
    info.flags = flags;
    info.tot_pages = id * 256u;
    libraries.domains.push_back(info);
  }

  std::unique_ptr<dom0::Machine> machine_;
};

TEST_F(XsctlMachine, WithoutXenThereIsNone) {
  libraries.is_xen = false;
  EXPECT_EQ(dom0::open_xen().error().code, ENODEV);
  EXPECT_EQ(libraries.open, 0);
}

TEST_F(XsctlMachine, WithoutRightsThereIsNone) {
  libraries.privcmd = EACCES;
  EXPECT_EQ(dom0::open_xen().error().code, EACCES);
  libraries.privcmd = ENOENT;
  EXPECT_EQ(dom0::open_xen().error().code, ENOENT);
  libraries.privcmd = 0;
  libraries.store = EACCES;
  EXPECT_EQ(dom0::open_xen().error().code, EACCES);
  libraries.store = ECONNREFUSED;
  EXPECT_EQ(dom0::open_xen().error().code, ECONNREFUSED);
  EXPECT_EQ(libraries.open, 0) << "what was opened is closed";
}

TEST_F(XsctlMachine, EverythingIsClosed) {
  begin();
  EXPECT_EQ(libraries.open, 3);
  machine_.reset();
  EXPECT_EQ(libraries.open, 0);
}

TEST_F(XsctlMachine, AGuestIsToldThatItIsNone) {
  begin();
  libraries.asking = EPERM;
  EXPECT_EQ(machine_->domains().error().code, EACCES);
  libraries.asking = EFAULT;
  EXPECT_EQ(machine_->domains().error().code, EFAULT);
}

TEST_F(XsctlMachine, StatesOfDomains) {
  begin();
  add(0, XEN_DOMINF_running);
  add(1, XEN_DOMINF_blocked | XEN_DOMINF_hvm_guest);
  add(2, XEN_DOMINF_paused | XEN_DOMINF_blocked);
  add(3, XEN_DOMINF_shutdown);
  add(4, XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_paused);
  add(5, 0);
  auto all = machine_->domains();
  ASSERT_TRUE(all);
  std::vector<State> states;
  for (const auto& each : *all) states.push_back(each.state);
  EXPECT_EQ(states, (std::vector<State>{State::kRunning, State::kBlocked, State::kPaused,
                                        State::kShutdown, State::kDying, State::kBlocked}));
  EXPECT_EQ((*all)[4].pages, 1024u);
}

TEST_F(XsctlMachine, AnyNumberOfDomains) {
  begin();
  for (const std::uint16_t count : {0, 1, 63, 64, 65, 128, 300}) {
    libraries.domains.clear();
    for (std::uint16_t i = 0; i < count; ++i) add(static_cast<std::uint16_t>(2 * i), 0);
    auto all = machine_->domains();
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ((*all)[i].id, 2 * i);
  }
}

TEST_F(XsctlMachine, AGrantTableIsCopiedAndCounted) {
  begin();
  std::vector<grant_entry_v1_t> table(1024);
  table[8] = {GTF_permit_access | GTF_readonly | GTF_reading, 2, 77};
  table[1023] = {GTF_permit_access | GTF_readonly, 2, 78};
  table[9] = {GTF_permit_access | GTF_writing, 0, 79};
  libraries.tables[1] = table;
  auto grants = machine_->grants(1);
  ASSERT_TRUE(grants);
  EXPECT_EQ(grants->frames, 2u);
  EXPECT_EQ(grants->most_frames, 64u);
  EXPECT_EQ(grants->to, (std::vector<dom0::Grants::To>{{0, 1, 0, 1}, {2, 2, 2, 1}}));
  EXPECT_EQ(libraries.mapped, 0);
}

TEST_F(XsctlMachine, WhereAGrantTableIsNotToBeHad) {
  begin();
  EXPECT_FALSE(machine_->grants(1)) << "of no such domain";
  libraries.tables[0].resize(512);
  EXPECT_FALSE(machine_->grants(0)) << "our own";
  libraries.tables[1].resize(512);
  libraries.versions[1] = 2;
  EXPECT_FALSE(machine_->grants(1));
  libraries.tables[2];
  auto none = machine_->grants(2);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->frames, 0u);
  EXPECT_EQ(libraries.mapped, 0);
}

TEST_F(XsctlMachine, TheStore) {
  begin();
  using namespace std::string_literals;
  libraries.nodes["/local/domain/1/data/xs/a"] = "one\0two"s;
  libraries.nodes["/local/domain/1/data/xs/b"] = "";
  EXPECT_EQ(*machine_->read("/local/domain/1/data/xs/a"), "one\0two"s);
  EXPECT_EQ(*machine_->read("/local/domain/1/data/xs/b"), "");
  EXPECT_EQ(machine_->read("/local/domain/1/data/xs/c").error().code, ENOENT);
  EXPECT_EQ(*machine_->list("/local/domain/1/data/xs"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(machine_->list("/local/domain/2/data/xs").error().code, ENOENT);
}

TEST_F(XsctlMachine, AnUuidStaysWithTheVirtualMachine) {
  begin();
  add(3, 0);
  libraries.domains[0].handle[15] = 0xab;
  EXPECT_EQ((*machine_->domains())[0].uuid[15], 0xab);
}

TEST_F(XsctlMachine, ATransactionIsKeptOrNot) {
  begin();
  ASSERT_TRUE(machine_->begin_changes());
  EXPECT_TRUE(machine_->write("/a/b", "1"));
  EXPECT_TRUE(machine_->give("/a/b", 5));
  EXPECT_EQ(*machine_->read("/a/b"), "1") << "we see it";
  EXPECT_EQ(*machine_->list("/a"), std::vector<std::string>{"b"});
  EXPECT_TRUE(libraries.nodes.empty()) << "nobody else does";
  EXPECT_TRUE(machine_->end_changes(true));
  EXPECT_EQ(libraries.nodes.at("/a/b"), "1");
  EXPECT_EQ(libraries.owners.at("/a/b"), 5u);
  ASSERT_TRUE(machine_->begin_changes());
  EXPECT_TRUE(machine_->remove("/a/b"));
  EXPECT_TRUE(machine_->end_changes(false));
  EXPECT_EQ(*machine_->read("/a/b"), "1");
  EXPECT_EQ(libraries.transactions, 0);
}

TEST_F(XsctlMachine, ADisturbedTransactionSaysSoAndIsOver) {
  begin();
  libraries.disturbed = 1;
  ASSERT_TRUE(machine_->begin_changes());
  EXPECT_TRUE(machine_->write("/a", "1"));
  EXPECT_EQ(machine_->end_changes(true).error().code, EAGAIN);
  EXPECT_TRUE(libraries.nodes.empty());
  EXPECT_TRUE(machine_->write("/a", "1"));
  EXPECT_EQ(libraries.nodes.at("/a"), "1");
}

TEST_F(XsctlMachine, WhatTheStoreRefusesIsAnError) {
  begin();
  EXPECT_EQ(machine_->remove("/a").error().code, ENOENT);
  EXPECT_EQ(machine_->give("/a", 5).error().code, ENOENT);
  libraries.refusing = ENOSPC;
  EXPECT_EQ(machine_->write("/a", "1").error().code, ENOSPC);
  EXPECT_EQ(machine_->watch("/a").error().code, ENOSPC);
  EXPECT_EQ(machine_->begin_changes().error().code, ENOSPC);
}

TEST_F(XsctlMachine, AWatchWakes) {
  begin();
  EXPECT_TRUE(machine_->watch("/a"));
  EXPECT_EQ(*machine_->wait(10'000, -1), std::vector<std::string>{"/a"}) << "for its being set";
  EXPECT_TRUE(machine_->wait(0, -1)->empty());
  change_node("/a/b", "1");
  change_node("/c", "1");
  change_node("/a/b", std::nullopt);
  EXPECT_EQ(*machine_->wait(10'000, -1), (std::vector<std::string>{"/a/b", "/a/b"}));
}

TEST_F(XsctlMachine, SoDoesADescriptor) {
  begin();
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(machine_->wait(600'000, ends[0])->empty());
  close(ends[0]);
  close(ends[1]);
}

// A guest that writes without end does not keep us from looking at the clock.
TEST_F(XsctlMachine, EventsAreTakenAThousandAtATime) {
  begin();
  libraries.events.assign(1500, "/a");
  EXPECT_EQ(machine_->wait(0, -1)->size(), 1000u);
  EXPECT_EQ(machine_->wait(0, -1)->size(), 500u);
}

}  // namespace

}  // namespace xs::test
