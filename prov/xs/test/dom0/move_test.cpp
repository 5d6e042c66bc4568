// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xsctl migrate and save: asking, waiting, and what is in the way (docs/migration.md, "In dom0").
#include <gtest/gtest.h>

#include "dom0/fake_dom0.hpp"

namespace xs::test {

namespace {

using Words = std::vector<std::string>;
const Words kMigrate{"migrate", "u1", "hostb"};

TEST(Dom0Move, IsMadeWhenAllHavePaused) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.add_process(FakeDom0::kTwo, "19d", 250);
  std::string during;
  dom0.system.xl = [&] {
    during = dom0.machine.nodes[FakeDom0::kRequest];
    dom0.clock.now += 12'410;
    dom0.go_away();
    return dom0::Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_EQ(dom0.system.ran, (Words{"xl", "migrate", "5", "hostb"}));
  EXPECT_EQ(during, FakeDom0::kAsked);
  EXPECT_EQ(dom0.out.str(),
            "ask    2 processes of domain 5 u1 asked to pause (0.00 s)\n"
            "wait   0 of 2 have paused\n"
            "wait   1 of 2 have paused, not yet domain 5, pid 413 (process "
            "000000000000000b)\n"
            "wait   2 of 2 have paused (0.25 s)\n"
            "move   xl migrate 5 hostb\n"
            "move   xl has done it (12.41 s)\n"
            "total  ask 0.00 s, wait 0.25 s, move 12.41 s\n");
  EXPECT_EQ(dom0.log.str(), "");
}

TEST(Dom0Move, TheRequestIsTheGuestsOwn) {
  FakeDom0 dom0;
  dom0.machine.nodes["/local/domain/5/data/xs-here/000000000000000a"] = "f";
  dom0.machine.nodes["/local/domain/5/data/xs-here"] = "";
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] {
    EXPECT_EQ(dom0.machine.owners, (std::map<std::string, std::uint32_t>{{FakeDom0::kRequest, 5}}));
    return dom0::Ended{1, 0};
  };
  dom0.run(kMigrate);
}

TEST(Dom0Move, NothingOfDom0IsLeftInAGuestsDirectory) {
  FakeDom0 dom0;
  dom0.system.xl = [&] {
    EXPECT_TRUE(dom0.is_asked()) << "of whoever begins now";
    EXPECT_EQ(dom0.machine.owners.at("/local/domain/5/data/xs-here"), 5u);
    EXPECT_EQ(dom0.machine.owners.at(FakeDom0::kRequest), 5u);
    dom0.go_away();
    return dom0::Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.said("ask    no process of domain 5 u1 uses xs; it is moved all the same"));
}

TEST(Dom0Move, AGuestWithoutADirectoryIsMovedAllTheSame) {
  FakeDom0 dom0;
  dom0.machine.nodes.erase("/local/domain/5/data");
  const auto before = dom0.machine.nodes;
  dom0.system.xl = [&] {
    EXPECT_EQ(dom0.machine.nodes, before) << "nothing is written";
    dom0.go_away();
    return dom0::Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.said("nobody there can use xs"));
}

TEST(Dom0Move, ADomainIsNamedOrNumbered) {
  for (const char* word : {"u1", "5"}) {
    FakeDom0 dom0;
    dom0.run({"migrate", word, "hostb", "--", "-s", "ssh -p 22"});
    EXPECT_EQ(dom0.system.ran, (Words{"xl", "migrate", "-s", "ssh -p 22", "5", "hostb"}));
  }
  FakeDom0 dom0;
  dom0.run({"save", "u1", "/var/u1.save", "--", "-p"});
  EXPECT_EQ(dom0.system.ran, (Words{"xl", "save", "-p", "5", "/var/u1.save"}));
}

TEST(Dom0Move, WhatIsNoGuestIsSaid) {
  FakeDom0 dom0;
  dom0.machine.add(8, "u1--old", dom0::State::kDying);
  dom0.machine.add(9, "twice");
  dom0.machine.add(10, "twice");
  const auto before = dom0.machine.nodes;
  const std::vector<std::pair<std::string, std::string>> bad{
      {"u9", "xsctl: u9: there is no such domain\n"},
      {"u\x1b[2J", "xsctl: u\\x1b[2J: there is no such domain\n"},
      {"6", "xsctl: 6: there is no such domain\n"},
      {"99999999999", "xsctl: 99999999999: there is no such domain\n"},
      {"0", "xsctl: domain 0 is this host's own, and can't be moved\n"},
      {"Domain-0", "xsctl: domain 0 is this host's own, and can't be moved\n"},
      {"8", "xsctl: 8: the domain is dying\n"},
      {"u1--old", "xsctl: u1--old: there is no such domain\n"},
      {"twice", "xsctl: twice: more than one domain has that name: give its number\n"},
  };
  for (const auto& [word, text] : bad) {
    dom0.log.str("");
    EXPECT_EQ(dom0.run({"migrate", word, "hostb"}), dom0::kCannot);
    EXPECT_EQ(dom0.log.str(), text);
  }
  EXPECT_EQ(dom0.machine.nodes, before);
  EXPECT_TRUE(dom0.system.ran.empty());
}

TEST(Dom0Move, WithoutXlNobodyIsAsked) {
  FakeDom0 dom0;
  dom0.system.has_xl = false;
  EXPECT_EQ(dom0.run(kMigrate), dom0::kCannot);
  EXPECT_TRUE(dom0.complained("there is no xl in PATH"));
  EXPECT_TRUE(dom0.machine.watched.empty());
  EXPECT_FALSE(dom0.is_asked());
}

TEST(Dom0Move, NotFromAGuest) {
  FakeDom0 dom0;
  dom0.machine.broken = EACCES;
  EXPECT_EQ(dom0.run(kMigrate), dom0::kCannot);
  EXPECT_EQ(dom0.out.str(), "");
}

TEST(Dom0Move, WhoDoesNotAnswerIsNamed) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.add_silent(FakeDom0::kTwo, "19d");
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_EQ(dom0.clock.now, 5000u);
  EXPECT_TRUE(
      dom0.complained("xsctl: domain 5 u1 isn't moved, after 5 s:\n"
                      "  domain 5, pid 413 (process 000000000000000b) has not paused\n"
                      "By the grant tables no page is mapped between it and other "
                      "guests.\n"))
      << dom0.log.str();
  EXPECT_TRUE(dom0.complained("--force"));
  EXPECT_FALSE(dom0.is_asked()) << "the others may have rings again";
  EXPECT_TRUE(dom0.said("resume domain 5 u1 stays here"));
  EXPECT_TRUE(dom0.system.ran.empty());
}

TEST(Dom0Move, PeersHearOfItBefore) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.add_process(FakeDom0::kTwo, "19d", 30, "", 500);
  dom0.system.xl = [&] {
    dom0.go_away();
    return dom0::Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(
      dom0.said("wait   2 of 2 have paused, 1 has told all its peers\n"
                "wait   2 of 2 have paused (0.53 s)\n"))
      << dom0.out.str();
  EXPECT_EQ(dom0.log.str(), "");
}

// Nobody's move waits for them.
TEST(Dom0Move, PeersThatDoNotHearAreNotWaitedForLong) {
  for (const Words& words : {kMigrate, Words{"save", "u1", "/var/u1.save"}}) {
    FakeDom0 dom0;
    dom0.add_process(FakeDom0::kOne, "19c", 30);
    dom0.add_process(FakeDom0::kTwo, "19d", 30, "", FakeDom0::kNever);
    dom0.system.xl = [&] {
      EXPECT_EQ(dom0.clock.now, 2030u);
      dom0.go_away();
      return dom0::Ended();
    };
    EXPECT_EQ(dom0.run(words), dom0::kDone);
    EXPECT_TRUE(
        dom0.complained("not all peers of these have heard of the pause:\n"
                        "  domain 5, pid 413 (process 000000000000000b)\n"))
        << dom0.log.str();
    EXPECT_FALSE(dom0.complained("pid 412"));
    EXPECT_TRUE(dom0.complained("FI_XS_PEER_TIMEOUT"));
  }
}

// Who begins meanwhile is waited for as before.
TEST(Dom0Move, WhoBeginsWhilePeersAreToldPausesFirst) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30, "", FakeDom0::kNever);
  dom0.clock.after(1900,
                   [&] { dom0.machine.put(5, FakeDom0::kTwo, FakeDom0::note("19d", false)); });
  dom0.clock.after(3000, [&] { dom0.machine.put(5, FakeDom0::kTwo, FakeDom0::note("19d", true)); });
  dom0.system.xl = [&] {
    EXPECT_EQ(dom0.clock.now, 3000u);
    dom0.go_away();
    return dom0::Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
}

TEST(Dom0Move, TheDeadlineIsTheCallers) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 7000);
  dom0.machine.tables[5].to = {{7, 1, 1, 1}};
  EXPECT_EQ(dom0.run({"migrate", "--deadline", "2", "u1", "hostb"}), dom0::kNotPaused);
  EXPECT_EQ(dom0.clock.now, 2000u);
  FakeDom0 patient;
  patient.add_process(FakeDom0::kOne, "19c", 7000);
  EXPECT_EQ(patient.run({"migrate", "--deadline", "8", "u1", "hostb"}), dom0::kDone);
}

TEST(Dom0Move, ForceGoesOnAndSaysWhoIsLeft) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.add_silent(FakeDom0::kTwo, "19d");
  dom0.machine.tables[5].to = {{0, 30, 4, 30}, {7, 18, 18, 18}};
  dom0.machine.tables[7].to = {{5, 9, 9, 9}, {0, 3, 3, 3}};
  dom0.system.xl = [&] {
    dom0.go_away();
    return dom0::Ended();
  };
  EXPECT_EQ(dom0.run({"migrate", "--force", "u1", "hostb"}), dom0::kDone);
  EXPECT_TRUE(
      dom0.complained("domain 5 u1 is moved all the same, after 5 s:\n"
                      "  domain 5, pid 413 (process 000000000000000b) has not paused\n"
                      "By the grant tables:\n"
                      "  domain 7 u2 has 18 pages of domain 5 u1 mapped\n"
                      "  domain 5 u1 has 9 pages of domain 7 u2 mapped\n"))
      << dom0.log.str();
  EXPECT_TRUE(dom0.said("gone   nobody holds memory of domain 5 u1 here")) << dom0.out.str();
}

TEST(Dom0Move, AWrongSerialIsNoAnswer) {
  FakeDom0 dom0;
  dom0.machine.put(5, FakeDom0::kOne, "xs1 1 f\nI 19c\nQ 5eee\n");
  dom0.machine.put(5, FakeDom0::kTwo, "xs1 1 f\nI 19d\nQ x\n");
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone) << "whoever lived would have answered";
  EXPECT_TRUE(dom0.complained("pid 412"));
  EXPECT_TRUE(dom0.complained("pid 413"));
  dom0.machine.tables[7].to = {{5, 9, 9, 9}};
  EXPECT_EQ(dom0.run({"migrate", "5", "hostb"}), dom0::kNotPaused);
}

// Killed processes leave their nodes, and whoever lives there removes them.
TEST(Dom0Move, WhereNobodyAnswersAndNothingIsMappedAllAreDead) {
  FakeDom0 dom0;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.add_silent(FakeDom0::kTwo, "19d");
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.complained("taken for processes that were killed"));
  EXPECT_FALSE(dom0.system.ran.empty());
}

TEST(Dom0Move, WhatIsNotKnownToBeUnmappedIsNotDead) {
  FakeDom0 dom0;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.machine.tables.erase(7);
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(dom0.complained("what domain 7 u2 has granted isn't to be had")) << dom0.log.str();
}

TEST(Dom0Move, APausedDomainCanNotAnswer) {
  FakeDom0 dom0;
  dom0.machine.all[1].state = dom0::State::kPaused;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.machine.tables[5].to = {{7, 1, 1, 1}};
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotPaused);
  EXPECT_TRUE(dom0.complained("The domain is paused (xl unpause), so its processes can't answer."));
}

// It begins paused, or is waited for as the others are.
TEST(Dom0Move, ProcessesThatBeginMeanwhileAreWaitedFor) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 100);
  dom0.clock.after(50, [&] { dom0.machine.put(5, FakeDom0::kTwo, FakeDom0::note("19d", false)); });
  dom0.clock.after(400, [&] { dom0.machine.put(5, FakeDom0::kTwo, FakeDom0::note("19d", true)); });
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.said("wait   2 of 2 have paused (0.40 s)")) << dom0.out.str();
}

TEST(Dom0Move, ProcessesThatEndMeanwhileAreNot) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 100);
  dom0.add_silent(FakeDom0::kTwo, "19d");
  dom0.clock.after(300, [&] { dom0.machine.take("/local/domain/5/data/xs/000000000000000b"); });
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.said("wait   1 of 1 have paused (0.30 s)")) << dom0.out.str();
}

TEST(Dom0Move, ADomainThatEndsMeanwhileIsNotMoved) {
  FakeDom0 dom0;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.clock.after(300, [&] { dom0.go_away(); });
  EXPECT_EQ(dom0.run(kMigrate), dom0::kCannot);
  EXPECT_EQ(dom0.log.str(), "xsctl: domain 5 u1 has ended meanwhile\n");
  EXPECT_TRUE(dom0.system.ran.empty());
}

}  // namespace

}  // namespace xs::test
