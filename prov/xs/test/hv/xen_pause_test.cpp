// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/xen when somebody announces that its VM will be moved: docs/migration.md, The pause.
#include <cerrno>

#include "hv/xen_pause_rig.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

TEST_F(HvPause, WhoHoldsNothingSaysSoAtOnce) {
  begin();
  settle();
  announce();
  settle();
  EXPECT_EQ(a_.told.pauses, 1u);
  EXPECT_TRUE(a_.xen->card().paused());
  EXPECT_FALSE(b_.xen->card().paused());
  expect_quiet();
}

TEST_F(HvPause, ALinkIsLostInOrder) {
  begin();
  meet();
  announce();
  settle();
  EXPECT_EQ(a_.told.losses, 1u);
  EXPECT_EQ(a_.told.why, Loss::kPaused);
  EXPECT_EQ(a_.link->state(), LinkState::kLost);
  EXPECT_EQ(a_.link->share(1).error().code, ENOTCONN);
  EXPECT_TRUE(a_.xen->restless());
  EXPECT_FALSE(said(a_)) << "there is a life page still";
  a_.link.reset();
  settle();
  expect_quiet();
  EXPECT_EQ(b_.told.losses, 1u);
  EXPECT_EQ(b_.told.why, Loss::kGone) << "as ever";
}

TEST_F(HvPause, ItIsSaidWhenPeersKnow) {
  begin();
  meet();
  EXPECT_FALSE(a_.xen->wants_peers_told());
  announce();
  settle();
  EXPECT_TRUE(a_.xen->wants_peers_told());
  EXPECT_FALSE(told(a_));
  a_.xen->peers_know();
  EXPECT_TRUE(is_readable(a_)) << "there is something to be said";
  settle();
  EXPECT_EQ(told(a_), kSerial);
  EXPECT_FALSE(a_.xen->wants_peers_told());
  EXPECT_FALSE(said(a_)) << "whatever is still held";
  give_back_links();
  EXPECT_EQ(told(a_), kSerial);
  expect_quiet();
  announce("7 xsctl 18");
  settle();
  EXPECT_FALSE(told(a_)) << "nobody has heard of that one";
  a_.xen->peers_know();
  settle();
  EXPECT_EQ(told(a_), 7u);
  machine_.remove(kNode);
  settle();
  EXPECT_FALSE(told(a_));
  EXPECT_FALSE(a_.xen->wants_peers_told());
}

TEST_F(HvPause, ThatPeersKnowIsTriedAgain) {
  begin();
  announce();
  settle();
  machine_.quota(1).value = 0;
  a_.xen->peers_know();
  settle();
  EXPECT_FALSE(told(a_));
  EXPECT_TRUE(a_.xen->wants_peers_told());
  EXPECT_FALSE(a_.xen->restless()) << "nothing is held";
  machine_.quota(1).value = 2048;
  EXPECT_TRUE(until([&] { return told(a_) == kSerial; }));
  expect_quiet();
}

TEST_F(HvPause, WhoComesWithAMoveKnowsNothing) {
  begin();
  announce();
  settle();
  a_.xen->peers_know();
  settle();
  machine_.move(1, 1);
  settle();
  EXPECT_FALSE(told(a_));
  EXPECT_FALSE(a_.xen->wants_peers_told());
}

// M1: whatever is given back last.
TEST_F(HvPause, NothingIsSaidBeforeEverythingIsGivenBack) {
  for (int last = 0; last < 3; ++last) {
    begin();
    meet();
    auto share = std::move(*a_.link->share(2));
    auto theirs = std::move(*b_.link->share(20));
    auto mapping = std::move(*a_.link->map(theirs->offer()));
    announce();
    settle();
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(said(a_)) << i << " of " << last;
      EXPECT_TRUE(a_.xen->restless());
      const int which = (i + last + 1) % 3;
      if (which == 0) a_.link.reset();
      if (which == 1) share.reset();
      if (which == 2) mapping.reset();
      if (i == 2) {
        EXPECT_TRUE(which == 0 || is_readable(a_)) << "there is something to do";
      }
      settle();
    }
    expect_quiet();
    theirs.reset();
    give_back_links();
    for (Party* each : {&a_, &b_}) *each = Party();
    machine_.remove(kNode);
  }
}

TEST_F(HvPause, SharesMayOutliveTheBackend) {
  begin();
  meet();
  auto share = std::move(*a_.link->share(2));
  announce();
  settle();
  a_.link.reset();
  a_.xen.reset();
  share.reset();
  EXPECT_EQ(machine_.used(1).pages, 0u);
}

TEST_F(HvPause, WhoBeginsMeanwhileBeginsPaused) {
  announce();
  begin();
  EXPECT_EQ(said(a_), kSerial) << "before anybody is met";
  EXPECT_TRUE(a_.xen->card().paused());
  settle();
  EXPECT_EQ(a_.told.pauses, 0u) << "nothing has changed";
  EXPECT_EQ(a_.xen->meet(b_.xen->card()).error().code, EAGAIN);
  machine_.remove(kNode);
  settle();
  EXPECT_EQ(a_.told.pauses, 1u);
  meet();
}

TEST_F(HvPause, NobodyIsMet) {
  begin();
  announce();
  settle();
  EXPECT_EQ(a_.xen->meet(b_.xen->card()).error().code, EAGAIN);
  EXPECT_EQ(b_.xen->meet(a_.xen->card()).error().code, EHOSTUNREACH);
  EXPECT_EQ(a_.xen->meet(a_.xen->card()).error().code, EINVAL);
  EXPECT_EQ(machine_.granted(), 0u);
}

// A peer whose card is older than the pause waits in vain; no link opens by the old meeting.
TEST_F(HvPause, WhoIsBeingMetIsLostToo) {
  begin();
  auto link = a_.xen->meet(b_.xen->card());
  ASSERT_TRUE(link);
  announce();
  meet(b_, a_);
  settle();
  EXPECT_EQ(a_.told.losses, 1u);
  EXPECT_EQ(a_.told.openings + b_.told.openings, 0u);
  (*link).reset();
  settle();
  expect_quiet();
}

// Its card is under way while we are computing: our line in the store must not hold up who moves
// it.
TEST_F(HvPause, WhoMeetsByAnOlderCardIsToldByTheNote) {
  begin();
  const hv::Card older = a_.xen->card();
  announce();
  settle();
  b_.link = std::move(*b_.xen->meet(older));
  settle();
  EXPECT_EQ(b_.told.losses, 1u);
  EXPECT_EQ(b_.told.why, Loss::kGone);
  b_.link.reset();
  EXPECT_EQ(machine_.value(node_of(b_)).find("P "), std::string::npos);
}

// Whose node nobody would ever answer by.
TEST_F(HvPause, TheDeadAreSwept) {
  begin();
  const std::string left = hv::node_of(1, {0x1234, 1}).data();
  const auto note = hv::parse_whole_note(machine_.value(node_of(a_)));
  ASSERT_TRUE(note);
  machine_.put(left, std::string(hv::Note(1, note->network).text()));
  settle();
  EXPECT_FALSE(machine_.value(left).empty());
  announce();
  settle();
  EXPECT_TRUE(machine_.value(left).empty());
}

TEST_F(HvPause, TwoVmsAtOnce) {
  begin();
  meet();
  announce();
  machine_.put("/local/domain/2/data/xs-here/quiesce", "7");
  settle();
  EXPECT_EQ(a_.told.losses + b_.told.losses, 2u);
  give_back_links();
  EXPECT_EQ(said(a_), kSerial);
  EXPECT_EQ(said(b_), 7u);
  machine_.remove(kNode);
  settle();
  EXPECT_EQ(a_.xen->meet(b_.xen->card()).error().code, EHOSTUNREACH);
  EXPECT_EQ(b_.xen->meet(a_.xen->card()).error().code, EAGAIN);
  machine_.remove("/local/domain/2/data/xs-here/quiesce");
  settle();
  a_.told = b_.told = Told();
  meet();
}

// Who is told of nothing looks once a second.
TEST_F(HvPause, TheDeafLook) {
  machine_.quota(1).watches = 0;
  begin();
  announce();
  EXPECT_TRUE(until([&] { return said(a_) == kSerial; }));
  machine_.remove(kNode);
  EXPECT_TRUE(until([&] { return !a_.xen->card().paused(); }));
  EXPECT_FALSE(said(a_));
}

TEST_F(HvPause, ANoteThatCanNotSayItIsTriedAgain) {
  begin();
  settle();
  machine_.quota(1).value = 0;
  announce();
  settle();
  EXPECT_FALSE(said(a_));
  EXPECT_TRUE(a_.xen->restless());
  machine_.quota(1).value = 2048;
  EXPECT_TRUE(until([&] { return said(a_) == kSerial; }));
}

// The other processes of its VM are counted by their nodes in the same directory.
TEST_F(HvPause, ItsNodeIsNoProcess) {
  begin();
  Party other = party(1);
  meet();
  const std::size_t before = a_.link->budget()->pages;
  announce();
  settle();
  EXPECT_EQ(a_.link->budget()->pages, before);
  give_back_links();
  machine_.remove(kNode);
  settle();
  meet();
  EXPECT_EQ(a_.link->budget()->pages, before);
  EXPECT_EQ(a_.told.budgets, 0u);
}

TEST_F(HvPause, BellsAreClosedAndComeAgain) {
  a_ = party(1, 0, hv::XenBellUse::kEvent);
  b_ = party(2, 0, hv::XenBellUse::kEvent);
  meet();
  settle();
  EXPECT_EQ(a_.link->ring(), hv::Rang::kRung);
  announce();
  settle();
  give_back_links();
  expect_quiet();
  EXPECT_EQ(machine_.ports.count(), 0u);
  machine_.move(1, 9);
  settle();
  give_back_links();
  meet();
  settle();
  EXPECT_EQ(a_.link->ring(), hv::Rang::kRung);
  EXPECT_EQ(machine_.ports.crashes, 0u);
}

// Ports that an unannounced move has left behind can't be closed, and are nobody's.
TEST_F(HvPause, DeadPortsAreNotInTheWay) {
  a_ = party(1, 0, hv::XenBellUse::kEvent);
  b_ = party(2, 0, hv::XenBellUse::kEvent);
  meet();
  settle();
  machine_.move(1, 9);
  settle();
  give_back_links();
  machine_.put("/local/domain/9/data/xs-here/quiesce", "2a");
  settle();
  EXPECT_TRUE(a_.xen->card().paused());
  EXPECT_EQ(said(a_), kSerial);
  EXPECT_EQ(machine_.ports.crashes, 0u);
}

// ---- As one of two backends ----

// No simulated host: those are moved by other means.
TEST_F(HvBoth, APauseLeavesWhatIsWithinTheVm) {
  Whole a = whole(1, ""), b = whole(1, ""), c = whole(2, "two");
  Pair near = meet(a, b), far = meet(a, c);
  machine_.put(kNode, "2a");
  EXPECT_TRUE(moved_until({&a, &b, &c}, [&] {
    return a.told.losses == 1 && c.told.losses == 1 && b.both->card().paused();
  }));
  EXPECT_TRUE(a.both->card().paused());
  EXPECT_TRUE(a.both->restless());
  EXPECT_EQ(a.told.why, Loss::kPaused);
  EXPECT_EQ(a.told.pauses, 1u);
  EXPECT_EQ(b.told.losses, 0u);
  EXPECT_EQ(near.one->state(), LinkState::kOpen);
  EXPECT_TRUE(near.one->share(1));
  EXPECT_TRUE(near.one->within_vm());
  EXPECT_FALSE(far.one->within_vm());
  far = Pair();
  EXPECT_TRUE(moved_until({&a, &b, &c}, [&] { return !a.both->restless(); }));
  // Who comes now is met within the VM alone.
  Whole late = whole(1, "");
  EXPECT_TRUE(late.both->card().paused());
  const Pair met = meet(a, late);
  EXPECT_EQ(a.both->meet(c.both->card()).error().code, EAGAIN);
  EXPECT_EQ(c.both->meet(a.both->card()).error().code, EHOSTUNREACH);
  machine_.remove(kNode);
  EXPECT_TRUE(moved_until({&a, &b, &late, &c}, [&] { return !a.both->card().paused(); }));
  EXPECT_EQ(near.one->state(), LinkState::kOpen);
  far = meet(a, c);
}

}  // namespace

}  // namespace xs::test
