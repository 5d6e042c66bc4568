// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What can go wrong with the fake hv, when it is told to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "sim/fake/hv.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;
using sim::FakeHv;
using sim::FakeHypervisor;
using sim::FakeLink;
using sim::Likeness;
using sim::Sight;
using util::kMillisecond;
using util::Nanoseconds;

namespace {

class StandingClock final : public util::Clock {
 public:
  Nanoseconds now() noexcept override { return now_; }
  Nanoseconds now_ = util::kSecond;
};

class Stirred final : public FakeHypervisor::Observer {
 public:
  void stirs(sim::ProcessId process, Nanoseconds at) noexcept override {
    last_process = process;
    last = at;
  }
  sim::ProcessId last_process = 0;
  Nanoseconds last = 0;
};

// A process, and what it was told.
struct Party final : hv::Events {
  Party(FakeHypervisor& machine, sim::ProcessId process, unsigned host)
      : hv(machine, process, host) {}
  void opened(hv::Link&) noexcept override { ++openings; }
  void pages_came(hv::Link&) noexcept override { ++pages; }
  void rung(hv::Link&) noexcept override { ++rings; }
  void lost(hv::Link&, Loss why) noexcept override { losses.push_back(why); }
  void budget_changed() noexcept override {}
  void pause_changed() noexcept override {}
  void moved() noexcept override {
    EXPECT_TRUE(losses.empty()) << "first moved, then lost";
    ++moves;
  }

  FakeHv hv;
  std::unique_ptr<hv::Link> link;
  unsigned openings = 0, pages = 0, rings = 0, moves = 0;
  std::vector<Loss> losses;
};

class HvFake : public testing::Test {
 protected:
  explicit HvFake(const sim::HvHabits& habits = {}) : machine_(clock_, habits, 7, &stirred_) {}
  void TearDown() override {
    a_.reset();
    b_.reset();
    EXPECT_EQ(machine_.standing(), FakeHypervisor::Standing{});
  }

  void pass(Nanoseconds time) {
    clock_.now_ += time;
    a_->hv.progress(*a_);
    b_->hv.progress(*b_);
  }
  void meet() {
    auto a = a_->hv.meet(b_->hv.card());
    auto b = b_->hv.meet(a_->hv.card());
    ASSERT_TRUE(a && b);
    a_->link = std::move(*a);
    b_->link = std::move(*b);
    pass(kMillisecond);
    ASSERT_EQ(a_->openings + b_->openings, 2u);
  }
  struct Shown {
    std::unique_ptr<hv::Share> share;
    std::unique_ptr<hv::Mapping> mapping;
    sim::FakeMapping& fake() const { return static_cast<sim::FakeMapping&>(*mapping); }
  };
  // Pages of a, seen by b.
  Shown show(std::size_t pages) {
    auto share = a_->link->share(pages);
    EXPECT_TRUE(share);
    pass(kMillisecond);
    auto mapping = b_->link->map((*share)->offer());
    EXPECT_TRUE(mapping);
    return {std::move(*share), std::move(*mapping)};
  }

  StandingClock clock_;
  Stirred stirred_;
  FakeHypervisor machine_;
  std::unique_ptr<Party> a_ = std::make_unique<Party>(machine_, 1, 1);
  std::unique_ptr<Party> b_ = std::make_unique<Party>(machine_, 2, 1);
};

bool all(std::span<const std::byte> bytes, unsigned value) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](std::byte byte) { return byte == static_cast<std::byte>(value); });
}

TEST_F(HvFake, AMappingFreezesThenTurnsToOnesUnderItsReader) {
  meet();
  const Shown shown = show(3);
  const auto seen = shown.mapping->bytes();
  shown.share->bytes()[5000] = std::byte{1};
  EXPECT_EQ(seen[5000], std::byte{1});
  shown.fake().turn(Sight::kFrozen);
  shown.share->bytes()[5000] = std::byte{2};
  EXPECT_EQ(seen[5000], std::byte{1});
  shown.fake().turn(Sight::kOnes);
  EXPECT_TRUE(all(seen, 0xff));
  shown.fake().turn(Sight::kFrozen);
  EXPECT_TRUE(all(seen, 0xff)) << "for good";
  EXPECT_EQ(shown.mapping->bytes().data(), seen.data());
  EXPECT_EQ(shown.share->bytes()[5000], std::byte{2}) << "its owner's memory stays as it is";
}

TEST_F(HvFake, ATrapSpringsInTheMiddleOfACopy) {
  meet();
  const Shown shown = show(2);
  const auto bytes = shown.share->bytes();
  std::fill(bytes.begin(), bytes.end(), std::byte{0x22});
  shown.fake().set_trap(1, Sight::kOnes);
  const auto seen = shown.mapping->bytes();
  const std::size_t page = hv::kPageSize - hv::kHeadSize;
  std::vector<std::byte> copy(seen.size());
  std::memcpy(copy.data(), seen.data(), page);
  EXPECT_EQ(machine_.tally().sprung, 0u);
  EXPECT_TRUE(all(std::span(copy).first(page), 0x22));
  std::memcpy(&copy[page], &seen[page], seen.size() - page);
  EXPECT_EQ(machine_.tally().sprung, 1u);
  EXPECT_TRUE(all(std::span(copy).subspan(page), 0xff));
  EXPECT_TRUE(all(seen, 0xff));
}

TEST_F(HvFake, ATrapMaySpringSomeInstructionsLater) {
  meet();
  for (const unsigned later : {1u, 20u, 200u}) {
    const Shown other = show(1);
    other.fake().set_trap(0, Sight::kOnes, later);
    const auto* words =
        reinterpret_cast<const volatile std::uint64_t*>(other.mapping->bytes().data());
    unsigned looks = 0;
    while (words[looks % 8] == 0) ++looks;
    EXPECT_LE(looks, later);
    EXPECT_TRUE(all(other.mapping->bytes(), 0xff));
  }
}

TEST_F(HvFake, ATrapMayFreeze) {
  meet();
  const Shown shown = show(1);
  shown.fake().set_trap(0, Sight::kFrozen);
  shown.share->bytes()[9] = std::byte{1};
  EXPECT_EQ(shown.mapping->bytes()[9], std::byte{1});
  shown.share->bytes()[9] = std::byte{2};
  EXPECT_EQ(shown.mapping->bytes()[9], std::byte{1});
}

TEST_F(HvFake, ATrapThatNobodyTouchesIsForgotten) {
  meet();
  {
    const Shown shown = show(1);
    shown.fake().set_trap(0, Sight::kOnes);
  }
  const Shown shown = show(1);
  EXPECT_TRUE(all(shown.mapping->bytes(), 0));
}

TEST_F(HvFake, WhatADeadProcessWritesIsNotSeen) {
  meet();
  const Shown shown = show(1);
  shown.share->bytes()[0] = std::byte{1};
  a_->hv.kill();
  shown.share->bytes()[0] = std::byte{2};
  EXPECT_EQ(shown.mapping->bytes()[0], std::byte{1});
  EXPECT_FALSE(a_->link->share(1));
  pass(kMillisecond);
  EXPECT_EQ(b_->losses, std::vector{Loss::kGone});
  EXPECT_TRUE(a_->losses.empty());
}

TEST_F(HvFake, WhoMovesLosesEverything) {
  machine_.habits().absent_low = machine_.habits().absent_high = 20 * kMillisecond;
  meet();
  const Shown shown = show(1);
  const hv::Card before = a_->hv.card();
  a_->hv.move(2, Sight::kOnes, Sight::kFrozen);
  shown.share->bytes()[0] = std::byte{1};
  EXPECT_EQ(shown.mapping->bytes()[0], std::byte{0});
  EXPECT_EQ(a_->hv.card(), before) << "not told yet";
  EXPECT_EQ(a_->link->ring(), hv::Rang::kRung) << "says nothing, does nothing";
  const auto nowhere = a_->link->share(1);
  EXPECT_TRUE(nowhere || nowhere.error().code == EAGAIN);
  pass(kMillisecond);
  EXPECT_EQ(a_->moves, 1u);
  EXPECT_EQ(a_->hv.counters().moved, 1u);
  EXPECT_EQ(a_->losses, std::vector{Loss::kMoved});
  EXPECT_NE(a_->hv.card().host, before.host);
  EXPECT_EQ(a_->hv.card().process, before.process);
  EXPECT_GT(a_->hv.card().generation, before.generation);
  EXPECT_TRUE(b_->losses.empty() && b_->rings == 0 && b_->pages == 1);
  pass(20 * kMillisecond);
  EXPECT_EQ(b_->losses, std::vector{Loss::kGone});
  b_->link.reset();
  const auto met = b_->hv.meet(before);
  EXPECT_TRUE(met || met.error().code == ECONNREFUSED) << "there is nobody any more";
  pass(kMillisecond);
  EXPECT_EQ(b_->openings, 1u);
  EXPECT_EQ(b_->hv.meet(a_->hv.card()).error().code, EHOSTUNREACH);
}

TEST_F(HvFake, WhoMovesToItsOwnHostIsMetAgain) {
  meet();
  a_->hv.move(1, Sight::kOnes, Sight::kOnes);
  pass(2 * util::kSecond);
  a_->link.reset();
  b_->link.reset();
  a_->openings = b_->openings = 0;
  meet();
}

TEST_F(HvFake, ALinkIsLostForEveryReason) {
  for (const Loss why : {Loss::kGone, Loss::kFault, Loss::kExhausted, Loss::kMoved}) {
    a_->openings = b_->openings = 0;
    a_->losses = b_->losses = {};
    meet();
    static_cast<FakeLink&>(*a_->link).lose(why);
    EXPECT_EQ(a_->link->state(), LinkState::kLost);
    EXPECT_EQ(stirred_.last_process, 2u);
    EXPECT_GT(stirred_.last, clock_.now_);
    pass(kMillisecond);
    EXPECT_EQ(a_->losses, std::vector{why});
    EXPECT_EQ(b_->losses, std::vector{Loss::kGone});
    EXPECT_EQ(a_->link->share(1).error().code, ENOTCONN);
    a_->link.reset();
    b_->link.reset();
  }
}

TEST_F(HvFake, TheSystemLacksSomethingForAWhile) {
  meet();
  auto share = a_->link->share(1);
  pass(kMillisecond);
  for (const int error : {EAGAIN, ENOMEM, EMFILE}) {
    a_->hv.lack(error, clock_.now_ + kMillisecond);
    EXPECT_EQ(a_->link->share(1).error().code, error);
    clock_.now_ += kMillisecond;
    EXPECT_TRUE(a_->link->share(1));
  }
  b_->hv.lack(ENOMEM, clock_.now_ + kMillisecond);
  EXPECT_EQ(b_->link->map((*share)->offer()).error().code, ENOMEM);
  pass(kMillisecond);
  EXPECT_EQ(b_->link->map((*share)->offer()).error().code, EAGAIN) << "once per offer";
  EXPECT_EQ(b_->link->state(), LinkState::kOpen);
}

TEST_F(HvFake, NothingIsToldBeforeItsTime) {
  meet();
  auto share = a_->link->share(1);
  b_->hv.delay(clock_.now_ + 30 * kMillisecond);
  a_->link->ring();
  EXPECT_EQ(stirred_.last, clock_.now_ + 30 * kMillisecond);
  pass(29 * kMillisecond);
  EXPECT_EQ(b_->pages + b_->rings, 0u);
  pass(kMillisecond);
  EXPECT_EQ(b_->pages, 1u);
  EXPECT_EQ(b_->rings, 1u);
}

TEST_F(HvFake, BellsAreDroppedAndRingByThemselves) {
  meet();
  machine_.habits().deaf_percent = 100;
  EXPECT_EQ(a_->link->ring(), hv::Rang::kRung);
  pass(kMillisecond);
  EXPECT_EQ(b_->rings, 0u);
  machine_.habits().deaf_percent = 0;
  b_->hv.jingle();
  pass(kMillisecond);
  EXPECT_EQ(b_->rings, 1u);
}

TEST_F(HvFake, StrikesAreCounted) {
  int fallen = 0;
  machine_.at_strike(2, [&] { ++fallen; });
  machine_.strike();
  EXPECT_EQ(fallen, 0);
  machine_.strike();
  machine_.strike();
  EXPECT_EQ(fallen, 1);
}

class HvFakeAlike : public HvFake {
 protected:
  explicit HvFakeAlike(Likeness likeness = Likeness::kSilent) : HvFake({.likeness = likeness}) {
    b_ = std::make_unique<Party>(machine_, 2, 2);
  }
};
class HvFakePretending : public HvFakeAlike {
 protected:
  HvFakePretending() : HvFakeAlike(Likeness::kPretend) {}
};

TEST_F(HvFakeAlike, NobodyAnswersFromAnotherHost) {
  auto a = a_->hv.meet(b_->hv.card());
  auto b = b_->hv.meet(a_->hv.card());
  EXPECT_NE(static_cast<bool>(a), static_cast<bool>(b)) << "one of them calls";
  EXPECT_EQ((a ? b : a).error().code, ECONNREFUSED);
  pass(kMillisecond);
  EXPECT_EQ(a_->openings + b_->openings, 0u);
}

TEST_F(HvFakePretending, OnlyPagesTellHostsApart) {
  meet();
  auto share = a_->link->share(1);
  pass(kMillisecond);
  EXPECT_EQ(b_->link->map((*share)->offer()).error().code, EBADMSG);
  pass(kMillisecond);
  EXPECT_EQ(b_->losses, std::vector{Loss::kFault});
  EXPECT_EQ(a_->losses, std::vector{Loss::kGone});
}

}  // namespace

}  // namespace xs::test
