// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xsctl migrate and save: what becomes of the domain, and of what was asked.
#include <gtest/gtest.h>

#include "dom0/fake_dom0.hpp"

namespace xs::test {

namespace {

using dom0::Ended;
using dom0::State;

const std::vector<std::string> kMigrate{"migrate", "u1", "hostb"};
const std::vector<std::string> kHere{"migrate", "u1", "localhost"};

TEST(Dom0End, WhereXlFailsTheDomainGoesOn) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] { return dom0.clock.now += 4000, Ended{1, 0}; };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotMoved);
  EXPECT_FALSE(dom0.is_asked());
  EXPECT_EQ(dom0.out.str(),
            "ask    1 process of domain 5 u1 asked to pause (0.00 s)\n"
            "wait   0 of 1 have paused, not yet domain 5, pid 412 (process 000000000000000a)\n"
            "wait   1 of 1 have paused (0.03 s)\n"
            "move   xl migrate 5 hostb\n"
            "move   xl has failed, with exit status 1 (4.00 s)\n"
            "resume domain 5 u1 stays here, and its processes may have rings again\n"
            "back   0 of 1 process of domain 5 u1 there again\n"
            "back   1 of 1 process of domain 5 u1 there again (0.03 s)\n"
            "total  ask 0.00 s, wait 0.03 s, move 4.00 s, back 0.03 s\n");
}

TEST(Dom0End, XlThatCanNotBeRunIsSaid) {
  FakeDom0 dom0;
  dom0.system.broken = ENOEXEC;
  EXPECT_EQ(dom0.run(kMigrate), dom0::kCannot);
  EXPECT_TRUE(dom0.complained("xl can't be run: Exec format error"));
  EXPECT_FALSE(dom0.is_asked());
}

TEST(Dom0End, WhoInterruptsXlHasTheDomainGoOn) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] {
    dom0.system.signal = SIGINT;
    return Ended{0, SIGINT};
  };
  EXPECT_EQ(dom0.run(kMigrate), 128 + SIGINT);
  EXPECT_TRUE(dom0.said("move   xl was ended by a signal: Interrupt"));
  EXPECT_EQ(dom0.log.str(), "") << "nobody has been waited for, so nobody is missed";
  EXPECT_FALSE(dom0.is_asked());
}

// Nobody has asked us to end: somebody has killed xl.
TEST(Dom0End, XlThatIsKilledHasFailed) {
  FakeDom0 dom0;
  dom0.system.xl = [] { return Ended{0, SIGKILL}; };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotMoved);
  EXPECT_FALSE(dom0.is_asked());
  EXPECT_FALSE(dom0.said("back")) << "there is nobody to come";
}

TEST(Dom0End, WhoInterruptsTheWaitMovesNobody) {
  FakeDom0 dom0;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.clock.after(700, [&] { dom0.system.signal = SIGTERM; });
  EXPECT_EQ(dom0.run(kMigrate), 128 + SIGTERM);
  EXPECT_EQ(dom0.clock.now, 700u);
  EXPECT_TRUE(dom0.complained("xsctl: asked to end: Terminated\n"));
  EXPECT_FALSE(dom0.is_asked());
  EXPECT_TRUE(dom0.system.ran.empty());
}

// Even if everybody has answered at once.
TEST(Dom0End, ASignalBeforeXlIsNotForgotten) {
  FakeDom0 dom0;
  dom0.system.signal = SIGHUP;
  EXPECT_EQ(dom0.run(kMigrate), 128 + SIGHUP);
  EXPECT_TRUE(dom0.system.ran.empty());
  EXPECT_FALSE(dom0.is_asked());
}

TEST(Dom0End, ASuspendedDomainStaysAsked) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] {
    dom0.machine.all[1].state = State::kShutdown;
    return Ended{1, 0};
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNotMoved);
  EXPECT_TRUE(dom0.is_asked());
  EXPECT_TRUE(dom0.complained("domain 5 u1 is still here, and suspended"));
  EXPECT_TRUE(dom0.complained("xsctl abort 5\n"));
}

// xl save -c, or -p.
TEST(Dom0End, ASavedDomainThatStaysGoesOn) {
  for (const State state : {State::kBlocked, State::kPaused}) {
    FakeDom0 dom0;
    dom0.add_process(FakeDom0::kOne, "19c", 30);
    dom0.system.xl = [&] {
      dom0.machine.all[1].state = state;
      return Ended();
    };
    EXPECT_EQ(dom0.run({"save", "u1", "/u1.save", "--", "-c"}), dom0::kDone);
    EXPECT_FALSE(dom0.is_asked());
    EXPECT_TRUE(dom0.said("resume domain 5 u1 stays here"));
    EXPECT_EQ(dom0.said("back   1 of 1"), state == State::kBlocked) << "who is paused says nothing";
  }
}

TEST(Dom0End, WhoComesBackHereIsWaitedFor) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.add_process(FakeDom0::kTwo, "19d", 30);
  dom0.system.xl = [&] {
    dom0.come_back(9);
    dom0.clock.after(300, [&] { dom0.machine.put(9, FakeDom0::kTwo, "xs1 2 f\nI 19d\n"); });
    dom0.clock.after(800, [&] { dom0.machine.put(9, FakeDom0::kOne, "xs1 2 f\nI 19c\n"); });
    return Ended();
  };
  EXPECT_EQ(dom0.run(kHere), dom0::kDone);
  EXPECT_TRUE(
      dom0.said("back   1 of 2 processes of domain 9 u1 there again\n"
                "back   2 of 2 processes of domain 9 u1 there again (0.80 s)\n"
                "total "))
      << dom0.out.str();
  EXPECT_FALSE(dom0.said("resume")) << "that is another domain";
  EXPECT_EQ(dom0.log.str(), "");
}

TEST(Dom0End, WhoIsNotThereAgainIsSaidAndNoError) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] { return dom0.come_back(9), Ended(); };
  EXPECT_EQ(dom0.run(kHere), dom0::kDone);
  EXPECT_TRUE(dom0.complained("  process 000000000000000a is not there again: it may have ended"));
}

TEST(Dom0End, WhoHasBeenInterruptedAfterXlWasDoneHasMovedIt) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] {
    dom0.come_back(9);
    dom0.clock.after(300, [&] { dom0.system.signal = SIGINT; });
    return Ended();
  };
  EXPECT_EQ(dom0.run(kHere), dom0::kDone);
  EXPECT_EQ(dom0.clock.now, 330u);
  EXPECT_EQ(dom0.log.str(), "");
}

// A domain of the same number is another one if its uuid is.
TEST(Dom0End, AnotherDomainOfTheSameNumberIsLeftAlone) {
  FakeDom0 dom0;
  dom0.system.xl = [&] {
    dom0.machine.all[1].uuid[0] = 99;
    return Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(dom0.is_asked());
  EXPECT_FALSE(dom0.said("resume"));
}

TEST(Dom0End, AZombieTellsByWhomItIsHeld) {
  FakeDom0 dom0;
  dom0.add_process(FakeDom0::kOne, "19c", 30);
  dom0.system.xl = [&] {
    dom0.machine.take("/local/domain/5");
    dom0.machine.all[1].state = State::kDying;
    dom0.machine.tables[5].to = {{7, 18, 18, 18}};
    return Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_TRUE(
      dom0.complained("xsctl: the old domain can't go:\n"
                      "ZOMBIE 5: dead, and still has 256 pages\n"
                      "  held by domain 7 u2, 18 pages mapped\n"))
      << dom0.log.str();
}

TEST(Dom0End, ADomainHasATimeToGo) {
  FakeDom0 dom0;
  dom0.system.xl = [&] {
    dom0.machine.all[1].state = State::kDying;
    dom0.clock.after(1500, [&] { dom0.go_away(); });
    return Ended();
  };
  EXPECT_EQ(dom0.run(kMigrate), dom0::kDone);
  EXPECT_EQ(dom0.log.str(), "");
}

TEST(Dom0End, AStoreThatBreaksLeavesAHint) {
  FakeDom0 dom0;
  dom0.add_silent(FakeDom0::kOne, "19c");
  dom0.clock.after(700, [&] { dom0.machine.broken = EIO; });
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNoAnswer);
  EXPECT_TRUE(dom0.complained("xsctl abort takes it back"));
  EXPECT_TRUE(dom0.system.ran.empty());
}

TEST(Dom0End, AStoreThatBreaksBeforeIsAnError) {
  FakeDom0 dom0;
  dom0.machine.broken = EIO;
  EXPECT_EQ(dom0.run(kMigrate), dom0::kNoAnswer);
  EXPECT_EQ(dom0.log.str(), "xsctl: Xen is broken: Input/output error\n");
}

TEST(Dom0Restore, SaysWhoIsThere) {
  FakeDom0 dom0;
  dom0.system.xl = [&] {
    dom0.clock.now += 3200;
    dom0.machine.add(9, "u3");
    dom0.clock.after(400, [&] { dom0.machine.put(9, FakeDom0::kOne, "xs1 2 f\n"); });
    dom0.clock.after(900, [&] { dom0.machine.put(9, FakeDom0::kTwo, "xs1 2 f\n"); });
    return Ended();
  };
  EXPECT_EQ(dom0.run({"restore", "/u3.save", "--", "-d"}), dom0::kDone);
  EXPECT_EQ(dom0.system.ran, (std::vector<std::string>{"xl", "restore", "-d", "/u3.save"}));
  EXPECT_EQ(dom0.out.str(),
            "move   xl restore -d /u3.save\n"
            "move   xl has done it (3.20 s)\n"
            "back   2 processes of domain 9 u3 use xs (1.90 s)\n"
            "total  move 3.20 s, back 1.90 s\n");
}

TEST(Dom0Restore, WhoDoesNotUseXsIsNotWaitedForLong) {
  FakeDom0 dom0;
  dom0.system.xl = [&] { return dom0.machine.add(9, "u3"), Ended(); };
  EXPECT_EQ(dom0.run({"restore", "--deadline", "2", "/u3.save"}), dom0::kDone);
  EXPECT_EQ(dom0.clock.now, 2000u);
  FakeDom0 paused;
  paused.system.xl = [&] { return paused.machine.add(9, "u3", State::kPaused), Ended(); };
  EXPECT_EQ(paused.run({"restore", "/u3.save"}), dom0::kDone);
  EXPECT_EQ(paused.clock.now, 0u);
}

TEST(Dom0Restore, FailsAsXlDoes) {
  FakeDom0 dom0;
  dom0.system.xl = [] { return Ended{2, 0}; };
  EXPECT_EQ(dom0.run({"restore", "/u3.save"}), dom0::kNotMoved);
  dom0.system.has_xl = false;
  EXPECT_EQ(dom0.run({"restore", "/u3.save"}), dom0::kCannot);
  dom0.machine.broken = EIO;
  EXPECT_EQ(dom0.run({"restore", "/u3.save"}), dom0::kNoAnswer);
}

TEST(Dom0Abort, TakesBackWhatADeadToolHasAsked) {
  FakeDom0 dom0;
  dom0.machine.nodes[FakeDom0::kRequest] = "00000000000000aa 700";
  EXPECT_EQ(dom0.run({"abort", "u1"}), dom0::kDone);
  EXPECT_FALSE(dom0.is_asked());
  EXPECT_EQ(dom0.out.str(), "abort  the processes of domain 5 u1 may have rings again\n");
  EXPECT_EQ(dom0.run({"abort", "u1"}), dom0::kDone) << "once more";
  EXPECT_TRUE(dom0.said("there is nothing to take back"));
}

TEST(Dom0Abort, NotFromOneThatIsAtWork) {
  FakeDom0 dom0;
  dom0.machine.nodes[FakeDom0::kRequest] = "00000000000000aa 700";
  dom0.system.others = {700};
  EXPECT_EQ(dom0.run({"abort", "5"}), dom0::kBusy);
  EXPECT_TRUE(dom0.is_asked());
  EXPECT_TRUE(dom0.complained("pid 700, which is at work"));
  EXPECT_TRUE(dom0.complained("kill 700"));
  EXPECT_EQ(dom0.run({"abort", "--force", "5"}), dom0::kDone);
  EXPECT_FALSE(dom0.is_asked());
}

TEST(Dom0Abort, WhateverAGuestHasWritten) {
  FakeDom0 dom0;
  dom0.machine.nodes[FakeDom0::kRequest] = "nonsense";
  EXPECT_EQ(dom0.run({"abort", "5"}), dom0::kDone);
  EXPECT_FALSE(dom0.is_asked());
  EXPECT_EQ(dom0.run({"abort", "6"}), dom0::kCannot);
  EXPECT_EQ(dom0.run({"abort", "0"}), dom0::kCannot);
  dom0.machine.broken = EIO;
  EXPECT_EQ(dom0.run({"abort", "5"}), dom0::kNoAnswer);
}

}  // namespace

}  // namespace xs::test
