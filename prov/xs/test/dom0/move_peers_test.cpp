// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes beside the domain that is to be moved, and others that want to move it.
#include <gtest/gtest.h>

#include "dom0/fake_dom0.hpp"

namespace xs::test {

namespace {

const std::vector<std::string> kMigrate{"migrate", "u1", "hostb"};
constexpr const char* kNamesUs = "xs1 3 f\nI 7b\nL 5 8\nP 000000000000000a 7 5\nR 12\n";

// Domain 7 has a process that has pages of domain 5 mapped, until then.
void add_peer(FakeDom0& dom0, std::uint64_t lets_go_after) {
  dom0.machine.put(7, FakeDom0::kPeer, kNamesUs);
  dom0.machine.tables[5].to = {{7, 18, 18, 18}};
  dom0.clock.after(lets_go_after, [&] {
    dom0.machine.put(7, FakeDom0::kPeer, "xs1 3 f\nI 7b\n");
    dom0.machine.tables[5].to.clear();
  });
}

TEST(Dom0Peers, AreWaitedFor) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  add_peer(dom0, 900);
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.said("wait   1 of 1 have paused, and 1 peer in other domains not let go\n"))
      << dom0.out.str();
  EXPECT_TRUE(dom0.said("(0.90 s)"));
}

TEST(Dom0Peers, WhoDoesNotLetGoIsNamed) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  add_peer(dom0, 60'000);
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(
      dom0.complained("  domain 7, pid 123 (process 000000000000000f) has not let go of process "
                      "000000000000000a\n"))
      << dom0.log.str();
}

// Its note is gone, what others hold of it is not.
TEST(Dom0Peers, OfAProcessThatHasEndedAreWaitedForToo) {
  FakeDom0 dom0;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.clock.after(100, [&] { dom0.machine.take("/local/domain/5/data/xs/000000000000000a"); });
  add_peer(dom0, 60'000);
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(dom0.complained("has not let go of process 000000000000000a"));
}

// Names are no secret: else any guest could keep any other one here.
TEST(Dom0Peers, WhoOnlySaysThatHeIsAPeerIsNot) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.machine.put(7, FakeDom0::kPeer, kNamesUs);
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_LT(dom0.clock.now, 5000u);
}

TEST(Dom0Peers, WhereTheGrantTableIsNotToBeHadTheNoteCounts) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.machine.put(7, FakeDom0::kPeer, kNamesUs);
  dom0.machine.tables.erase(5);
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
}

// Its back ends have pages of every guest mapped.
TEST(Dom0Peers, InDom0TheirNotesTell) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.machine.tables[5].to = {{0, 30, 4, 30}};
  dom0.machine.put(0, FakeDom0::kPeer, "xs1 3 f\nI 7b\nL 5 8\nP 000000000000000a 7 0\n");
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone) << "it has not met anybody";
  EXPECT_EQ(dom0.log.str(), "");
  FakeDom0 met;
  met.add_process(FakeDom0::kOne, "19c", 30);
  met.machine.put(0, FakeDom0::kPeer, kNamesUs);
  EXPECT_EQ(met.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(met.complained("  domain 0, pid 123 (process 000000000000000f) has not let go"));
}

TEST(Dom0Peers, InADomainThatComesMeanwhileAreSeen) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 1000);
  dom0.clock.after(500, [&] {
    dom0.machine.add(9, "u3");
    dom0.machine.fire(dom0::kNewDomains);
    dom0.machine.put(9, FakeDom0::kPeer, kNamesUs);
    dom0.machine.tables[5].to = {{9, 1, 1, 1}};
  });
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(dom0.complained("domain 9, pid 123"));
}

// It says Q and holds what it has: that is seen, and does it no good.
TEST(Dom0Peers, WhatTheGrantTablesShowBesidesIsSaid) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.machine.tables[5].to = {{7, 18, 18, 18}};
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(
      dom0.complained("all have paused, yet\n"
                      "  domain 7 u2 has 18 pages of domain 5 u1 mapped\n"))
      << dom0.log.str();
}

TEST(Dom0Peers, ManyAreNotAllNamed) {
  FakeDom0 dom0;
  for (int i = 0; i < 50; ++i) dom0.add_silent(dom0::hex(100u + static_cast<unsigned>(i)), "1");
  dom0.machine.tables[5].to = {{7, 18, 18, 18}};
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(dom0.complained("  and 30 more\n")) << dom0.log.str();
}

TEST(Dom0TwoTools, TheSecondIsRefused) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.machine.nodes[FakeDom0::kRequest] = "00000000000000aa 700";
  dom0.system.others = {700};
  for (const auto& words : {kMigrate, {"migrate", "--force", "u1", "hostb"}}) {
    dom0.log.str("");
    EXPECT_EQ(dom0.run(words), dom0::kBusy);
    EXPECT_EQ(dom0.log.str(),
              "xsctl: domain 5 u1 is asked to pause already, by an xsctl, pid 700, which is at "
              "work\n");
  }
  EXPECT_EQ(dom0.machine.nodes[FakeDom0::kRequest], "00000000000000aa 700") << "it stays";
  EXPECT_TRUE(dom0.system.ran.empty());
}

TEST(Dom0TwoTools, OneThatWasKilledIsTold) {
  FakeDom0 dom0;
  dom0.machine.nodes[FakeDom0::kRequest] = "00000000000000aa 700";
  EXPECT_EQ(dom0.run(kMigrate), dom0::kBusy);
  EXPECT_TRUE(dom0.complained("pid 700, which does not run any more: xsctl abort takes that back"));
  dom0.machine.nodes[FakeDom0::kRequest] = "\x1b[2J what a guest writes";
  EXPECT_EQ(dom0.run(kMigrate), dom0::kBusy);
  EXPECT_TRUE(dom0.complained("by something that is no xsctl: xsctl abort removes that"));
  EXPECT_EQ(dom0.log.str().find('\x1b'), std::string::npos);
}

// An abort of somebody else's, or the guest itself.
TEST(Dom0TwoTools, ARequestThatWasTakenBackMovesNobody) {
  for (const bool force : {false, true}) {
    FakeDom0 dom0;
    dom0.machine.on_change = [&](const std::string& path) {
      if (path == FakeDom0::kRequest) dom0.machine.nodes.erase(path);
    };
    auto words = kMigrate;
    if (force) words.insert(words.begin() + 1, "--force");
    EXPECT_EQ(dom0.run(words), force ? dom0::kDone : dom0::kNotPaused);
    EXPECT_EQ(dom0.system.ran.empty(), !force);
    EXPECT_TRUE(dom0.complained("our request was taken back"));
  }
}

TEST(Dom0TwoTools, AnothersRequestIsNotTakenBack) {
  FakeDom0 dom0;
  dom0.machine.on_change = [&](const std::string& path) {
    if (path == FakeDom0::kRequest) dom0.machine.nodes[path] = "00000000000000aa 700";
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(dom0.is_asked());
}

}  // namespace

}  // namespace xs::test
