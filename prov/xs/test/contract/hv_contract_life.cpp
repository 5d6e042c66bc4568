// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How processes meet, ring, part and die.
#include <cerrno>

#include "contract/hv_contract.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;
using hv::Rang;

namespace {

TEST_P(HvContract, CardsAreDifferentAndWhole) {
  HvParty& a = party();
  HvParty& b = party();
  EXPECT_NE(a.card(), b.card());
  EXPECT_EQ(a.card(), a.card());
  EXPECT_EQ(a.card().size(), 2 * hv::kCardSize);
}

TEST_P(HvContract, TwoMeet) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  settle();
  EXPECT_EQ(a.state(pair.a), LinkState::kOpen);
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen);
  EXPECT_EQ(a.news(pair.a).opened, 1u);
  EXPECT_EQ(b.news(pair.b).opened, 1u);
  EXPECT_EQ(a.counters().opened, 1u);
}

// Greetings cross on the fabric in any order and at any distance.
TEST_P(HvContract, OneMayBeLongBeforeTheOther) {
  for (int order = 0; order < 2; ++order) {
    HvParty& a = party();
    HvParty& b = party();
    const bool swap = order == 1;
    HvParty& early = swap ? b : a;
    HvParty& late = swap ? a : b;
    ASSERT_EQ(early.meet(late.card()).error, 0);
    settle();
    ASSERT_EQ(late.meet(early.card()).error, 0);
    EXPECT_TRUE(until([&] { return early.news(0).opened && late.news(0).opened; }));
  }
}

TEST_P(HvContract, ManyMeet) {
  constexpr unsigned kMany = 8;
  for (unsigned i = 0; i < kMany; ++i) party();
  for (const auto& from : parties_) {
    for (const auto& to : parties_) {
      const int error = from->meet(to->card()).error;
      ASSERT_EQ(error, from == to ? EINVAL : 0);
    }
  }
  EXPECT_TRUE(until([&] {
    for (const auto& each : parties_)
      if (each->counters().opened < kMany - 1) return false;
    return true;
  }));
}

TEST_P(HvContract, RefusesWhomItCannotMeet) {
  HvParty& a = party();
  HvParty& b = party();
  HvParty& elsewhere = party("elsewhere");
  EXPECT_EQ(a.meet(a.card()).error, EINVAL) << "itself";
  EXPECT_EQ(a.meet(elsewhere.card()).error, EHOSTUNREACH);
  EXPECT_EQ(elsewhere.meet(a.card()).error, EHOSTUNREACH);
  EXPECT_EQ(a.counters().elsewhere, 1u);
  EXPECT_EQ(a.meet(std::string(2 * hv::kCardSize, '0')).error, -1) << "no card";
  introduce(a, b);
  EXPECT_EQ(a.meet(b.card()).error, EALREADY);
}

TEST_P(HvContract, OneSimulatedHostIsOneHost) {
  HvParty& a = party("one");
  HvParty& b = party("one");
  introduce(a, b);
}

TEST_P(HvContract, ThePeerThatLeavesIsLost) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  b.leave(pair.b);
  ASSERT_TRUE(until([&] { return a.news(pair.a).lost > 0; }));
  settle();
  EXPECT_EQ(a.news(pair.a).lost, 1u);
  EXPECT_EQ(a.news(pair.a).why, Loss::kGone);
  EXPECT_EQ(a.state(pair.a), LinkState::kLost);
  EXPECT_EQ(a.share(pair.a, 1).error, ENOTCONN);
  EXPECT_EQ(a.map(pair.a, std::string(64, '0')).error, ENOTCONN);
  EXPECT_EQ(a.ring(pair.a), Rang::kNotOpen);
}

TEST_P(HvContract, TheyMeetAgain) {
  HvParty& a = party();
  HvParty& b = party();
  for (int round = 0; round < 4; ++round) {
    const HvPair pair = introduce(a, b);
    const bool a_leaves = round % 2 == 0;
    HvParty& stays = a_leaves ? b : a;
    const unsigned number = a_leaves ? pair.b : pair.a;
    a_leaves ? a.leave(pair.a) : b.leave(pair.b);
    ASSERT_TRUE(until([&] { return stays.news(number).lost > 0; }));
    stays.leave(number);
  }
}

// Nobody waits for the other side's loss before meeting again.
TEST_P(HvContract, TheyMeetAgainAtOnce) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  a.leave(pair.a);
  b.leave(pair.b);
  introduce(a, b);
}

TEST_P(HvContract, AnOwnerMayLeaveWhenItIsToldOfTheLoss) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  a.ask("leave_when_lost " + std::to_string(pair.a));
  end(b);
  ASSERT_TRUE(until([&] { return a.news(pair.a).lost > 0; }));
  settle();
}

TEST_P(HvContract, ADeadPeerIsNoticed) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  end(b);
  EXPECT_TRUE(a.readable(5000)) << "nobody has to ask";
  ASSERT_TRUE(until([&] { return a.news(pair.a).lost > 0; }));
  EXPECT_EQ(a.news(pair.a).why, Loss::kGone);
  EXPECT_FALSE(a.readable(20)) << "it would spin";
}

TEST_P(HvContract, ADeadPeerIsNotMet) {
  HvParty& a = party();
  HvParty& b = party();
  const std::string card = b.card();
  end(b);
  const auto met = a.meet(card);
  settle();
  if (met.error == 0) {  // it waits to be called: for nothing, and at no cost
    EXPECT_EQ(a.news(met.number).opened, 0u);
    EXPECT_EQ(a.share(met.number, 1).error, EAGAIN);
    a.leave(met.number);
  } else {
    EXPECT_EQ(met.error, ECONNREFUSED);
  }
  EXPECT_FALSE(a.readable(20));
}

// A peer that dies at every step of the acquaintance, in both roles.
TEST_P(HvContract, DeathAtEveryStepLeavesNothing) {
  HvParty& a = party();
  introduce(a, party());
  for (HvParty* each : living_)
    if (each != &a) each->kill();
  living_ = {&a};
  ASSERT_TRUE(until([&] { return a.news(0).lost > 0; }));
  a.leave(0);
  for (int role = 0; role < 8; ++role) {
    for (int steps = 0; steps < 6; ++steps) {
      HvParty& b = party();
      const std::string before = GetParam().here ? "" : a.cost();
      const auto from_b = b.meet(a.card());
      const auto from_a = a.meet(b.card());
      ASSERT_EQ(from_b.error, 0);
      for (int i = 0; i < steps; ++i) (i % 2 == role % 2 ? a : b).progress();
      if (b.news(from_b.number).opened) b.share(from_b.number, 2);
      if (role >= 4) a.progress();
      end(b);
      settle();
      if (from_a.error == 0) {
        EXPECT_NE(a.share(from_a.number, 1).error, 0);
        a.leave(from_a.number);
      }
      settle();
      if (!before.empty()) {
        EXPECT_EQ(a.cost(), before) << "role " << role << " step " << steps;
      }
      EXPECT_FALSE(a.readable(0));
    }
  }
}

TEST_P(HvContract, ABellWakesItsPeer) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  settle();
  if (!GetParam().has_bell) {
    EXPECT_EQ(a.ring(pair.a), Rang::kNoBell);
    return;
  }
  await_bell(a, pair.a);
  for (int round = 0; round < 5; ++round) {
    EXPECT_TRUE(rests(b));
    const unsigned heard = b.news(pair.b).rung;
    EXPECT_EQ(a.ring(pair.a), Rang::kRung);
    EXPECT_TRUE(b.readable(5000));
    ASSERT_TRUE(until([&] { return b.news(pair.b).rung > heard; }));
    EXPECT_TRUE(rests(b)) << "it would spin";
  }
}

TEST_P(HvContract, BellsThatNobodyHearsBlockNobody) {
  HvParty& a = party();
  HvParty& b = party();
  HvParty& c = party();
  const HvPair pair = introduce(a, b);
  const HvPair other = introduce(c, b);
  settle();
  await_bell(a, pair.a);
  await_bell(c, other.a);
  for (int i = 0; i < 2000; ++i) a.ring(pair.a);
  c.ring(other.a);
  settle();
  if (!GetParam().has_bell) return;
  EXPECT_GE(b.news(pair.b).rung, 1u);
  EXPECT_GE(b.news(other.b).rung, 1u);
  EXPECT_TRUE(rests(b));
}

TEST_P(HvContract, SilenceCostsNothing) {
  HvParty& a = party();
  HvParty& b = party();
  introduce(a, b);
  settle();
  EXPECT_FALSE(a.readable(50));
  EXPECT_FALSE(a.progress());
}

}  // namespace

}  // namespace xs::test
