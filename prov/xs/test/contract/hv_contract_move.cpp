// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What becomes of links, pages and bells when a virtual machine moves.
#include <cerrno>

#include "contract/hv_contract.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;
using hv::Rang;

void HvMoves::move(const SimulatedVm& vm, const std::string& line,
                   const std::vector<HvParty*>& parties) {
  std::vector<int> before;
  for (HvParty* each : parties) before.push_back(each->moves());
  vm.write(line);
  EXPECT_TRUE(until([&] {
    std::size_t i = 0;
    for (HvParty* each : parties)
      if (each->moves() == before[i++]) return false;
    return true;
  })) << line;
  for (HvParty* each : parties) EXPECT_NE(each->moves(), -1) << "lost before it was told";
}

void HvMoves::expect_lost(HvParty& party, unsigned pair, Loss why) {
  ASSERT_TRUE(until([&] { return party.news(pair).lost > 0; }));
  settle();
  EXPECT_EQ(party.news(pair).lost, 1u);
  EXPECT_EQ(party.news(pair).why, why);
  EXPECT_EQ(party.state(pair), LinkState::kLost);
  EXPECT_EQ(party.share(pair, 1).error, ENOTCONN);
  EXPECT_EQ(party.ring(pair), Rang::kNotOpen);
}

namespace {

TEST_P(HvMoves, AMoveLosesEveryLink) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  HvParty& c = party("A");
  const HvPair with_b = introduce(a, b);
  const HvPair with_c = introduce(a, c);
  const HvPair others = introduce(b, c);
  const std::string before = a.card();
  move(vm, "B", {&a});
  expect_lost(a, with_b.a, Loss::kMoved);
  expect_lost(a, with_c.a, Loss::kMoved);
  expect_lost(b, with_b.b, Loss::kGone);
  expect_lost(c, with_c.b, Loss::kGone);
  EXPECT_EQ(b.state(others.a), LinkState::kOpen);
  EXPECT_EQ(a.moves(), 1);
  EXPECT_EQ(a.counters().moved, 1u);
  EXPECT_NE(a.card(), before);
  EXPECT_EQ(b.moves(), 0);
  b.leave(with_b.b);
  EXPECT_EQ(a.meet(b.card()).error, EHOSTUNREACH);
  EXPECT_EQ(b.meet(a.card()).error, EHOSTUNREACH);
}

TEST_P(HvMoves, NothingOfTheOldLifeIsMet) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  const std::string before = a.card();
  move(vm, "A", {&a});
  const auto met = b.meet(before);
  ASSERT_EQ(a.meet(b.card()).error, 0);
  settle();
  if (met.error == 0) {  // it waits to be called
    EXPECT_EQ(b.news(met.number).opened, 0u);
    b.leave(met.number);
  } else {
    EXPECT_EQ(met.error, ECONNREFUSED);
  }
}

TEST_P(HvMoves, ApartAndTogetherAgain) {
  SimulatedVm vm1("A"), vm2("A");
  HvParty& a = party(vm1.option());
  HvParty& b = party(vm2.option());
  settle();
  const std::string before_a = a.cost();
  const std::string before_b = b.cost();
  for (const char* where : {"B", "B sees=frozen seen=frozen", "B sees=frozen", "B lost=1",
                            "B told=1 lost=2", "B seen=frozen told=2"}) {
    const HvPair pair = introduce(a, b);
    const Seen forth = show(a, pair.a, b, pair.b, 3);
    const Seen back = show(b, pair.b, a, pair.a, 5);
    const auto unmapped = a.share(pair.a, 2);
    move(vm1, where, {&a});
    expect_lost(a, pair.a, Loss::kMoved);
    expect_lost(b, pair.b, Loss::kGone);
    for (const unsigned share : {forth.share, unmapped.share}) a.unshare(share);
    b.unshare(back.share);
    a.unmap(back.mapping);
    b.unmap(forth.mapping);
    a.leave(pair.a);
    b.leave(pair.b);
    EXPECT_EQ(a.cost(), before_a) << where;
    EXPECT_EQ(b.cost(), before_b) << where;
    move(vm1, "A", {&a});
    const HvPair again = introduce(a, b);
    move(vm2, "A", {&b});  // the other one, and to where it was
    settle();
    a.leave(again.a);
    b.leave(again.b);
  }
}

TEST_P(HvMoves, AFileMovedOverTheOldOneMoves) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("B");
  EXPECT_FALSE(a.readable(20));
  vm.write_beside();
  settle();
  EXPECT_EQ(a.moves(), 0);
  for (int round = 1; round < 4; ++round) {
    vm.replace(round % 2 ? "B" : "A");
    EXPECT_TRUE(a.readable(5000)) << "nobody has to ask";
    ASSERT_TRUE(until([&] { return a.moves() == round; }));
    EXPECT_FALSE(a.readable(20)) << "it would spin";
  }
  introduce(a, b);
}

TEST_P(HvMoves, OneVmMovesAsAWhole) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party(vm.option());
  HvParty& there = party("B");
  const HvPair pair = introduce(a, b);
  move(vm, "B", {&a, &b});
  ASSERT_TRUE(until([&] { return a.news(pair.a).lost && b.news(pair.b).lost; }));
  a.leave(pair.a);
  b.leave(pair.b);
  introduce(a, b);
  introduce(a, there);
  introduce(there, b);
}

// What each side sees of the other's pages afterwards, and its own.
TEST_P(HvMoves, PagesDieAsTheyAreTold) {
  for (const bool sees_ones : {true, false}) {
    for (const bool seen_ones : {true, false}) {
      SimulatedVm vm("A");
      HvParty& a = party(vm.option());
      HvParty& b = party("A");
      const HvPair pair = introduce(a, b);
      const Seen forth = show(a, pair.a, b, pair.b, 2);
      const Seen back = show(b, pair.b, a, pair.a, 2);
      a.put(forth.share, 4000, "0102");
      b.put(back.share, 4000, "0304");
      move(vm,
           std::string("B sees=") + (sees_ones ? "ones" : "frozen") +
               (seen_ones ? "" : " seen=frozen"),
           {&a});
      ASSERT_TRUE(until([&] { return b.news(pair.b).lost > 0; }));
      EXPECT_EQ(a.own(forth.share, 4000, 2), "0102") << "the replay buffer";
      a.put(forth.share, 4000, "05");
      b.put(back.share, 4000, "06");
      EXPECT_EQ(a.own(forth.share, 4000, 2), "0502");
      EXPECT_EQ(b.own(back.share, 4000, 2), "0604");
      EXPECT_EQ(a.get(back.mapping, 4000, 2), sees_ones ? "ffff" : "0304");
      EXPECT_EQ(b.get(forth.mapping, 4000, 2), seen_ones ? "ffff" : "0102");
      EXPECT_EQ(a.get(back.mapping, 8000, 2), sees_ones ? "ffff" : "0000");
      EXPECT_EQ(b.get(forth.mapping, 8000, 2), seen_ones ? "ffff" : "0000");
      a.unshare(forth.share);
      EXPECT_EQ(b.get(forth.mapping, 4000, 2), seen_ones ? "ffff" : "0102");
    }
  }
}

TEST_P(HvMoves, TheMoverMayBeToldLate) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  const HvPair pair = introduce(a, b);
  const Seen back = show(b, pair.b, a, pair.a, 1);
  const auto unmapped = b.share(pair.b, 1);
  settle();
  const std::string card = a.card();
  const unsigned rung = b.news(pair.b).rung;
  vm.write("B told=3600000");
  ASSERT_TRUE(until([&] { return b.news(pair.b).lost > 0; }));
  EXPECT_EQ(a.moves(), 0);
  EXPECT_EQ(a.card(), card);
  EXPECT_EQ(a.state(pair.a), LinkState::kOpen) << "so it believes";
  EXPECT_EQ(a.get(back.mapping, 0, 2), "ffff");
  EXPECT_EQ(a.map(pair.a, unmapped.offer).error, EAGAIN);
  EXPECT_EQ(a.share(pair.a, 1).error, EAGAIN);
  EXPECT_NE(a.ring(pair.a), Rang::kNotOpen);
  EXPECT_EQ(a.meet(b.card()).error, EHOSTUNREACH);
  EXPECT_FALSE(a.readable(20));
  EXPECT_EQ(b.news(pair.b).rung, rung);
  move(vm, "A told=20", {&a});
  expect_lost(a, pair.a, Loss::kMoved);
  a.leave(pair.a);
  b.leave(pair.b);
  introduce(a, b);
}

TEST_P(HvMoves, ItsPeersMayBeToldLate) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  const HvPair pair = introduce(a, b);
  const Seen forth = show(a, pair.a, b, pair.b, 1);
  a.put(forth.share, 0, "2a");
  move(vm, "B seen=frozen lost=3600000", {&a});
  expect_lost(a, pair.a, Loss::kMoved);
  a.put(forth.share, 0, "2b");
  const unsigned rung = a.news(pair.a).rung;
  for (int i = 0; i < 100; ++i) b.ring(pair.b);
  for (int i = 0; i < 100; ++i)
    if (const auto shared = b.share(pair.b, 1); shared.error == 0) b.unshare(shared.share);
  settle();
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen) << "so it believes";
  EXPECT_EQ(b.get(forth.mapping, 0, 1), "2a");
  EXPECT_EQ(a.news(pair.a).rung, rung);
  EXPECT_FALSE(a.readable(20));
  vm.write("C lost=20");
  expect_lost(b, pair.b, Loss::kGone);
}

TEST_P(HvMoves, PeersAreToldLateAfterAWhile) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  const HvPair pair = introduce(a, b);
  vm.write("B lost=20 told=10");
  expect_lost(b, pair.b, Loss::kGone);
  expect_lost(a, pair.a, Loss::kMoved);
}

TEST_P(HvMoves, AMoverThatDiesIsLost) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  const HvPair pair = introduce(a, b);
  move(vm, "B lost=3600000", {&a});
  settle();
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen);
  end(a);
  expect_lost(b, pair.b, Loss::kGone);
}

// The new life calls, or is called, while its former one is still expected.
TEST_P(HvMoves, ANewLifeIsMetWhileTheOldOneIsExpected) {
  for (int round = 0; round < 6; ++round) {  // in both roles, as chance has it
    SimulatedVm vm("A");
    HvParty& a = party(vm.option());
    HvParty& b = party("A");
    const auto expected = b.meet(a.card());
    ASSERT_EQ(expected.error, 0);
    move(vm, "A", {&a});
    const auto from_a = a.meet(b.card());
    ASSERT_EQ(from_a.error, 0);
    settle();
    b.leave(expected.number);
    const auto from_b = b.meet(a.card());
    ASSERT_EQ(from_b.error, 0);
    EXPECT_TRUE(
        until([&] { return a.news(from_a.number).opened && b.news(from_b.number).opened; }));
  }
}

// A peer that still believes in the old life must part from it first.
TEST_P(HvMoves, ANewLifeIsMetWhileTheOldOneIsBelievedIn) {
  SimulatedVm vm("A");
  HvParty& a = party(vm.option());
  HvParty& b = party("A");
  for (int round = 0; round < 4; ++round) {
    const HvPair pair = introduce(a, b);
    move(vm, "A lost=3600000", {&a});
    a.leave(pair.a);
    settle();
    ASSERT_EQ(b.state(pair.b), LinkState::kOpen);
    EXPECT_EQ(b.meet(a.card()).error, EALREADY);
    b.leave(pair.b);
  }
  introduce(a, b);
}

}  // namespace

}  // namespace xs::test
