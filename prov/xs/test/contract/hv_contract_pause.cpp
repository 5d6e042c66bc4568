// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What becomes of links, pages and bells when it is announced that a virtual machine will move.
#include <cerrno>

#include "contract/hv_contract.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;

namespace {

TEST_P(HvMoves, APauseLosesLinksInOrder) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  HvParty& c = party("A");
  const HvPair pair = introduce(a, b);
  const HvPair others = introduce(b, c);
  const Seen forth = show(a, pair.a, b, pair.b, 2);
  const Seen back = show(b, pair.b, a, pair.a, 2);
  const std::string before = a.card();
  b.put(back.share, 4000, "0304");
  vm.write("A pause");
  expect_lost(a, pair.a, Loss::kPaused);
  expect_lost(b, pair.b, Loss::kGone);
  EXPECT_EQ(b.state(others.a), LinkState::kOpen);
  EXPECT_EQ(a.pauses().count, 1u);
  EXPECT_EQ(a.moves(), 0);
  EXPECT_EQ(a.get(back.mapping, 4000, 2), "0304") << "nothing is cut";
  EXPECT_TRUE(a.pauses().restless);
  a.unmap(back.mapping);
  EXPECT_TRUE(a.pauses().restless);
  a.unshare(forth.share);
  EXPECT_FALSE(a.pauses().restless);
  const std::string paused = a.card();
  EXPECT_NE(paused, before);
  EXPECT_FALSE(a.readable(20)) << "it would spin";
  vm.write("A pause");
  settle();
  EXPECT_EQ(a.card(), paused) << "once is enough";
}

TEST_P(HvMoves, APauseLeavesWhatStandsWithinTheVm) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& mate = party(vm.option());
  HvParty& b = party("A");
  const HvPair within = introduce(a, mate);
  const HvPair out = introduce(a, b);
  const Seen seen = show(a, within.a, mate, within.b, 2);
  vm.write("A pause");
  expect_lost(a, out.a, Loss::kPaused);
  ASSERT_TRUE(until([&] { return mate.pauses().count == 1; }));
  settle();
  EXPECT_EQ(a.state(within.a), LinkState::kOpen);
  EXPECT_EQ(mate.state(within.b), LinkState::kOpen);
  EXPECT_FALSE(a.pauses().restless || mate.pauses().restless);
  a.put(seen.share, 4000, "0304");
  EXPECT_EQ(mate.get(seen.mapping, 4000, 2), "0304");
  a.leave(within.a);
  expect_lost(mate, within.b, Loss::kGone);
  mate.leave(within.b);
  const HvPair again = introduce(a, mate);
  move(vm, "B", {&a, &mate});
  expect_lost(a, again.a, Loss::kMoved);
}

TEST_P(HvMoves, NobodyIsMetInAPause) {
  SimulatedVm vm("A"), other("A");
  HvParty& a = party(vm.option());
  HvParty& b = party(other.option());
  const std::string before = a.card();
  vm.write("A pause");
  ASSERT_TRUE(until([&] { return a.pauses().count == 1; }));
  EXPECT_EQ(a.meet(b.card()).error, EAGAIN);
  EXPECT_EQ(b.meet(a.card()).error, EHOSTUNREACH);
  // Who has an older card waits, and is told by the move at the latest.
  const auto met = b.meet(before);
  ASSERT_EQ(met.error, 0);
  settle();
  EXPECT_EQ(b.news(met.number).opened, 0u);
  b.leave(met.number);
  move(vm, "A", {&a});
  introduce(a, b);
}

TEST_P(HvMoves, TheNextWritingEndsAPause) {
  for (const char* where : {"A", "B seen=frozen", "A told=20 lost=20"}) {
    SimulatedVm vm("A");
    HvParty& a = party(vm.option());
    HvParty& b = party("A");
    const HvPair pair = introduce(a, b);
    vm.write("A pause");
    expect_lost(a, pair.a, Loss::kPaused);
    a.leave(pair.a);
    move(vm, where, {&a});
    EXPECT_FALSE(a.pauses().restless);
    move(vm, "A", {&a});
    settle();
    b.leave(pair.b);
    introduce(a, b);
  }
}

TEST_P(HvMoves, APauseMayComeWhileAMoveIsUntold) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  const HvPair pair = introduce(a, b);
  vm.write("A told=3600000");
  ASSERT_TRUE(until([&] { return b.news(pair.b).lost > 0; }));
  vm.write("A pause");
  expect_lost(a, pair.a, Loss::kMoved);
  EXPECT_EQ(a.moves(), 1);
  EXPECT_EQ(a.pauses().count, 1u);
}

TEST_P(HvMoves, WhoBeginsInAPauseIsPaused) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  settle();  // it has begun
  vm.write("A pause");
  ASSERT_TRUE(until([&] { return a.pauses().count == 1; }));
  HvParty& late = party(vm.option());
  HvParty& b = party("A");
  EXPECT_EQ(late.meet(b.card()).error, EAGAIN);
  EXPECT_EQ(late.pauses().count, 0u) << "nothing has changed";
  move(vm, "A", {&a, &late});
  introduce(late, b);
}

}  // namespace

}  // namespace xs::test
