// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/xen when a VM moves, alone and as one of two.
#include "hv/both_rig.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

TEST_F(HvXen, AMoveLosesEveryLinkAndOthersFollow) {
  begin();
  meet();
  auto share = a_.link->share(2);
  auto theirs = b_.link->share(2);
  auto mapping = a_.link->map((*theirs)->offer());
  (*share)->bytes()[0] = std::byte{42};
  const std::string before = node_of(a_);
  machine_.move(1, 9);
  EXPECT_TRUE(until([&] { return a_.told.losses == 1 && b_.told.losses == 1; }));
  EXPECT_EQ(a_.told.moves, 1u);
  EXPECT_EQ(a_.told.why, Loss::kMoved);
  EXPECT_EQ(b_.told.why, Loss::kGone);
  EXPECT_EQ(a_.xen->card().domid, 9u);
  EXPECT_EQ(a_.xen->card().generation, 2u);
  EXPECT_EQ((*share)->bytes()[0], std::byte{42}) << "the replay buffer";
  EXPECT_EQ((*mapping)->bytes()[0], std::byte{0xff});
  a_.link.reset();
  b_.link.reset();
  a_.told = b_.told = Told();
  meet();
}

// A move is known by the absence of our node, so nobody may write it before he has looked.
TEST_F(HvXen, AMoveIsFoundThoughOurNodeIsToBeWrittenFirst) {
  for (const bool parts : {true, false}) {
    begin();
    meet();
    machine_.displace(1, 9);
    if (parts)
      a_.link.reset();
    else
      EXPECT_FALSE(a_.link->share(1)) << "its peer's life page reads all ones";
    settle();
    machine_.fire_all(9);
    EXPECT_TRUE(until([&] { return a_.told.moves == 1; })) << parts;
    EXPECT_EQ(a_.xen->card().domid, 9u);
    for (Party* each : {&a_, &b_}) {
      each->link.reset();
      each->xen.reset();
      each->told = Told();
    }
  }
}

// The number of the domain may be the same on the new host.
TEST_F(HvXen, AMoveToTheSameNumberIsAMove) {
  begin();
  meet();
  machine_.move(1, 1);
  EXPECT_TRUE(until([&] { return a_.told.losses == 1 && b_.told.losses == 1; }));
  EXPECT_EQ(a_.told.moves, 1u);
  EXPECT_EQ(a_.xen->card().generation, 2u);
}

TEST_F(HvXen, AnotherGenerationIsNotMet) {
  begin();
  hv::Card old = b_.xen->card();
  ++old.generation;
  auto link = a_.xen->meet(old);
  ASSERT_TRUE(link);
  meet(b_, a_);
  for (int i = 0; i < 10; ++i) settle();
  EXPECT_EQ(a_.told.openings + b_.told.openings, 0u);
  EXPECT_GE(a_.xen->counters().stale, 1u);
}

TEST_F(HvBoth, OneCardServesBothKindsOfNeighbours) {
  Whole a = whole(1, "one"), b = whole(1, "one"), c = whole(2, "two");
  EXPECT_EQ(a.both->card().domid, 1u);
  const Pair near = meet(a, b), far = meet(a, c);
  EXPECT_EQ(near.one->ring(), hv::Rang::kRung);
  EXPECT_EQ(far.one->ring(), hv::Rang::kNoBell);
  EXPECT_EQ(a.both->counters().opened, 2u);
  auto share = far.one->share(2);
  ASSERT_TRUE(share);
  EXPECT_TRUE(far.other->map((*share)->offer()));
}

TEST_F(HvBoth, AMoveIsToldOnceAndLosesBothKinds) {
  Whole a = whole(1, "one"), b = whole(1, "one"), c = whole(2, "two");
  Pair near = meet(a, b), far = meet(a, c);
  machine_.move(1, 7);
  EXPECT_TRUE(moved_until({&a, &b, &c}, [&] {
    return a.told.losses == 2 && b.told.moves == 1 && b.told.losses == 1 && c.told.losses == 1;
  }));
  EXPECT_EQ(a.told.moves, 1u);
  EXPECT_EQ(a.told.why, Loss::kMoved);
  EXPECT_EQ(a.both->card().domid, 7u);
  EXPECT_EQ(a.both->card().generation, 2u);
  near = Pair();
  far = Pair();
  const Pair near_again = meet(a, b), far_again = meet(a, c);
}

}  // namespace

}  // namespace xs::test
