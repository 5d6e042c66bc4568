// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a pause of hv/xen ends, and another begins: docs/migration.md, The pause, M4.
#include <cerrno>

#include "hv/xen_pause_rig.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

// M4.
TEST_F(HvPause, EndsWithItsNode) {
  begin();
  meet();
  const hv::Card before = a_.xen->card();
  announce();
  settle();
  give_back_links();
  machine_.remove(kNode);
  settle();
  EXPECT_EQ(a_.told.pauses, 1u);
  EXPECT_FALSE(a_.xen->card().paused());
  EXPECT_FALSE(said(a_));
  EXPECT_NE(a_.xen->card(), before) << "so that peers hear of it";
  EXPECT_TRUE(a_.xen->card().same_life(before));
  meet();
}

TEST_F(HvPause, EndsBeforeEverythingIsGivenBack) {
  begin();
  meet();
  auto share = std::move(*a_.link->share(2));
  announce();
  settle();
  machine_.remove(kNode);
  settle();
  EXPECT_FALSE(a_.xen->restless());
  share.reset();
  give_back_links();
  EXPECT_FALSE(said(a_));
  meet();
}

TEST_F(HvPause, AnotherSerialCounts) {
  begin();
  meet();
  announce("1");
  settle();
  announce();
  settle();
  EXPECT_FALSE(said(a_));
  give_back_links();
  expect_quiet();
  announce("2b");
  settle();
  EXPECT_EQ(said(a_), 0x2bu);
  EXPECT_EQ(a_.told.pauses, 0u) << "it is the same pause";
  EXPECT_TRUE(a_.xen->card().paused());
}

TEST_F(HvPause, NonsenseAnnouncesNothing) {
  begin();
  meet();
  const Warnings warnings;
  for (const char* text : {"", " ", "0", "xyz", "-1", " 2a", "2ag", "0x2a", "11112222333344445"}) {
    announce(text);
    settle();
    EXPECT_FALSE(a_.xen->card().paused()) << text;
    EXPECT_FALSE(said(a_));
  }
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_GE(a_.xen->counters().nonsense, 9u);
  EXPECT_EQ(a_.link->state(), LinkState::kOpen);
  announce();
  settle();
  EXPECT_TRUE(a_.xen->card().paused());
  give_back_links();
  announce("nonsense");
  settle();
  EXPECT_EQ(said(a_), kSerial) << "it is not gone";
}

TEST_F(HvPause, EndsWithTheMove) {
  for (const bool quiet : {true, false}) {
    begin();
    meet();
    auto share = std::move(*a_.link->share(2));
    announce();
    settle();
    if (quiet) {
      share.reset();
      give_back_links();
      EXPECT_EQ(said(a_), kSerial);
    }
    machine_.move(1, 9);
    settle();
    EXPECT_EQ(a_.told.moves, 1u);
    EXPECT_EQ(a_.xen->card().generation, 2u);
    EXPECT_EQ(a_.xen->card().domid, 9u);
    EXPECT_FALSE(a_.xen->card().paused());
    EXPECT_FALSE(a_.xen->restless());
    EXPECT_FALSE(said(a_));
    share.reset();
    give_back_links();
    meet();
    for (Party* each : {&a_, &b_}) {
      each->link.reset();
      *each = Party();
    }
  }
}

// The watch on the node that is wiped is heard before that on its directory.
TEST_F(HvPause, AMoveIsNotTakenForItsRemoval) {
  begin();
  announce();
  settle();
  machine_.displace(1, 9);
  machine_.put("/local/domain/9/data/xs-here/quiesce", "2a");
  machine_.remove("/local/domain/9/data/xs-here/quiesce");
  settle();
  EXPECT_EQ(a_.told.moves, 1u);
  EXPECT_EQ(a_.told.pauses, 1u) << "its beginning";
  EXPECT_EQ(a_.xen->card().generation, 2u);
}

TEST_F(HvPause, TheNextMoveMayBeAnnouncedAlready) {
  begin();
  meet();
  auto theirs = std::move(*b_.link->share(1));
  auto mapping = std::move(*a_.link->map(theirs->offer()));
  machine_.displace(1, 9);
  machine_.put("/local/domain/9/data/xs-here/quiesce", "2b");
  machine_.fire_all(9);
  settle();
  EXPECT_EQ(a_.told.moves, 1u);
  EXPECT_TRUE(a_.xen->card().paused());
  EXPECT_EQ(a_.told.why, Loss::kMoved);
  EXPECT_FALSE(said(a_)) << "it keeps the old domain alive";
  EXPECT_TRUE(a_.xen->restless());
  give_back_links();
  mapping.reset();
  settle();
  EXPECT_EQ(said(a_), 0x2bu);
}

// M1: as long as our note says Q, whoever reads it relies on it.
TEST_F(HvPause, NobodyIsMetBeforeTheNoteIsWritten) {
  begin();
  announce();
  settle();
  machine_.quota(1).value = 0;
  machine_.remove(kNode);
  settle();
  EXPECT_EQ(said(a_), kSerial);
  EXPECT_EQ(a_.xen->meet(b_.xen->card()).error().code, EAGAIN);
  EXPECT_EQ(a_.told.pauses, 1u);
  machine_.quota(1).value = 2048;
  EXPECT_TRUE(until([&] { return a_.told.pauses == 2; })) << "tried again by itself";
  EXPECT_FALSE(said(a_));
  meet();
}

}  // namespace

}  // namespace xs::test
