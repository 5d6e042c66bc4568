// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Bells between domains, over a fake of Xen: what docs/hv.md says of them.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "hv/fake/xen.hpp"
#include "hv/hv_rig.hpp"
#include "hv/xen/xen.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;
using hv::Rang;
using hv::XenBellUse;

class HvXenBell : public testing::Test {
 protected:
  struct Party {
    std::shared_ptr<FakeXenCalls> calls;
    std::unique_ptr<hv::Xen> xen;
    std::unique_ptr<hv::Link> link;
    Told told;
  };
  // Of two, the one in the domain with the smaller number offers the port.
  Party party(std::uint32_t domain, XenBellUse bells = XenBellUse::kEvent) {
    Party made;
    made.calls = machine_.connect(domain);
    const hv::Card card{
        .host = {1, domain},
        .process = {static_cast<std::uint64_t>(getpid()) << 8 | domain, random_.next()},
        .generation = 1};
    auto opened = hv::Xen::open(made.calls, card, random_, bells);
    if (opened) made.xen = std::move(*opened);
    return made;
  }
  void begin(XenBellUse a = XenBellUse::kEvent, XenBellUse b = XenBellUse::kEvent) {
    end();
    a_ = party(1, a);
    b_ = party(2, b);
    meet();
  }
  void end() {
    a_.link.reset();
    b_.link.reset();
    a_ = Party();
    b_ = Party();
  }
  void meet() {
    a_.link = std::move(*a_.xen->meet(b_.xen->card()));
    b_.link = std::move(*b_.xen->meet(a_.xen->card()));
    settle();
    ASSERT_EQ(a_.link->state(), LinkState::kOpen);
    ASSERT_EQ(b_.link->state(), LinkState::kOpen);
  }
  bool until(const std::function<bool()>& condition) {
    const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      const bool is_late = std::chrono::steady_clock::now() > late;
      const bool moved = move_both();  // all this may have been stopped for a while
      if (is_late) return condition();
      if (!moved) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  static bool move(Party& party) { return party.xen && party.xen->progress(party.told); }
  // Until a_ has offered a port that b_ knows nothing of.
  void meet_half() {
    a_ = party(1);
    b_ = party(2);
    a_.link = std::move(*a_.xen->meet(b_.xen->card()));
    b_.link = std::move(*b_.xen->meet(a_.xen->card()));
    while (move(a_), machine_.ports.count() == 0) ASSERT_TRUE(move(b_));
    EXPECT_EQ(a_.link->state(), LinkState::kOpen);
    EXPECT_EQ(a_.link->ring(), Rang::kNoBell) << "nobody has said that he hears it";
  }
  bool move_both() {
    const bool a = move(a_);
    return move(b_) || a;
  }
  void settle() {
    while (move_both()) {
    }
  }
  // What is still looked at after a bell has come, or rung, has been.
  void rest() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2200);
    while (std::chrono::steady_clock::now() < end) {
      settle();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  static bool readable(const Party& party, int milliseconds) {
    struct pollfd ready = {.fd = party.xen->descriptor(), .events = POLLIN, .revents = 0};
    return poll(&ready, 1, milliseconds) == 1;
  }
  std::string node_of(const Party& party) const {
    return hv::node_of(party.xen->card().domid, party.xen->card().process).data();
  }
  // Another word stands in the party's line of the peer.
  void put_word(const Party& party, const std::string& word) {
    std::string text = machine_.value(node_of(party));
    text.erase(text.rfind(' ') + 1);
    machine_.put(node_of(party), text + word + '\n');
  }
  void expect_bells() {
    EXPECT_EQ(a_.link->ring(), Rang::kRung);
    EXPECT_EQ(b_.link->ring(), Rang::kRung);
    const unsigned a = a_.told.rings, b = b_.told.rings;
    settle();
    EXPECT_EQ(a_.told.rings, a + 1);
    EXPECT_EQ(b_.told.rings, b + 1);
  }
  void expect_no_bells() {
    EXPECT_EQ(a_.link->state(), LinkState::kOpen);
    EXPECT_EQ(b_.link->state(), LinkState::kOpen);
    EXPECT_EQ(a_.link->ring(), Rang::kNoBell);
    EXPECT_EQ(b_.link->ring(), Rang::kNoBell);
  }

  FakeXen machine_;
  util::SystemRandom random_;
  Party a_, b_;
};

TEST_F(HvXenBell, EachRingIsOneCallAndWakesThePeer) {
  begin();
  EXPECT_EQ(machine_.ports.count(), 2u);
  expect_bells();
  const unsigned rings = a_.calls->channels().rings();
  EXPECT_FALSE(readable(b_, 0));
  a_.link->ring();
  EXPECT_EQ(a_.calls->channels().rings(), rings + 1);
  EXPECT_TRUE(readable(b_, 0));
  settle();
  EXPECT_FALSE(readable(b_, 0)) << "it would spin";
}

TEST_F(HvXenBell, BothMustWantOne) {
  begin(XenBellUse::kEvent, XenBellUse::kFabric);
  expect_no_bells();
  begin(XenBellUse::kFabric, XenBellUse::kEvent);
  expect_no_bells();
  EXPECT_EQ(machine_.ports.count(), 0u);
}

TEST_F(HvXenBell, WithoutTheDeviceTheFabricRings) {
  machine_.ports.refuses = ENOENT;
  const Warnings warnings;
  begin();
  EXPECT_EQ(warnings.count(), 2u) << "one for each";
  expect_no_bells();
}

TEST_F(HvXenBell, WhoOffersMayHaveNoPortLeft) {
  machine_.ports.most = 0;
  const Warnings warnings;
  begin();
  expect_no_bells();
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(a_.xen->counters().exhausted, 1u);
}

TEST_F(HvXenBell, WhoBindsMayHaveNoPortLeft) {
  meet_half();
  machine_.ports.most = 0;
  settle();
  expect_no_bells();
  EXPECT_EQ(machine_.ports.count(), 0u) << "the offer is taken back";
  EXPECT_EQ(b_.xen->counters().exhausted, 1u);
}

TEST_F(HvXenBell, NothingIsLeftBehind) {
  for (const bool a_first : {true, false}) {
    begin();
    expect_bells();
    (a_first ? a_ : b_).link.reset();
    settle();
    EXPECT_EQ((a_first ? b_ : a_).told.losses, 1u);
    EXPECT_EQ(machine_.ports.count(), 0u) << "both ends";
    a_.link.reset();
    b_.link.reset();
    a_.xen.reset();
    b_.xen.reset();
    EXPECT_EQ(machine_.granted(), 0u);
    EXPECT_EQ(a_.calls->mapped() + b_.calls->mapped(), 0u);
  }
}

TEST_F(HvXenBell, TheyMeetAgainWithABell) {
  begin();
  for (int round = 0; round < 3; ++round) {
    a_.link.reset();
    settle();
    b_.link.reset();
    meet();
    expect_bells();
    EXPECT_EQ(machine_.ports.count(), 2u);
  }
}

TEST_F(HvXenBell, AKilledPeerIsNoticedAtOnce) {
  for (const bool a_dies : {true, false}) {
    begin();
    Party& dies = a_dies ? a_ : b_;
    Party& stays = a_dies ? b_ : a_;
    const auto rung = stays.xen->counters().rung;
    dies.calls->kill();
    EXPECT_TRUE(readable(stays, 0));
    move(stays);
    EXPECT_EQ(stays.told.losses, 1u);
    EXPECT_EQ(stays.told.why, Loss::kGone);
    EXPECT_EQ(stays.xen->counters().rung, rung + 1);
    EXPECT_EQ(machine_.ports.count(), 0u);
  }
}

// Nobody promises in which order a kernel cleans up.
TEST_F(HvXenBell, AnAlarmMayRingBeforeThePageIsCleared) {
  begin();
  rest();
  b_.calls->release_mappings();
  settle();
  EXPECT_EQ(a_.told.losses, 0u);
  b_.calls->clear_lives();
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; })) << "it looks for a while";
}

TEST_F(HvXenBell, NobodyLooksWhileBellsStand) {
  begin();
  rest();
  EXPECT_FALSE(readable(a_, 1100));
  EXPECT_FALSE(readable(b_, 0));
}

// Of a VM that moves without a word ports are left alone, whatever happens first.
TEST_F(HvXenBell, AMoveWithoutAWordTouchesNoPort) {
  const std::function<void()> firsts[] = {
      [] {},
      [&] { a_.link.reset(); },
      [&] { EXPECT_FALSE(a_.link->share(1)); },  // it sees ones in the peer's life page
      [&] { a_.link->ring(); },
      [&] {
        b_.link->ring();
        move(b_);
      },
  };
  std::uint32_t domain = 1;
  for (const auto& first : firsts) {
    begin();
    const Warnings warnings;
    machine_.displace(1, 9 + domain);
    first();
    settle();
    machine_.fire_all(9 + domain);
    EXPECT_TRUE(until([&] { return a_.told.moves == 1 && b_.told.losses == 1; }));
    EXPECT_EQ(warnings.count(), 1u);
    EXPECT_EQ(a_.xen->card().domid, 9 + domain);
    EXPECT_EQ(machine_.ports.count(), 0u) << "the peer's is closed";
    a_.link.reset();
    b_.link.reset();
    meet();
    expect_no_bells();
    end();
    EXPECT_EQ(machine_.ports.crashes, 0u);
    ++domain;
  }
}

TEST_F(HvXenBell, AfterAMoveThatWasAwaitedThereAreBellsAgain) {
  begin();
  a_.link.reset();
  settle();
  machine_.move(1, 9);
  EXPECT_TRUE(until([&] { return a_.told.moves == 1; }));
  b_.link.reset();
  meet();
  expect_bells();
  EXPECT_EQ(machine_.ports.crashes, 0u);
}

TEST_F(HvXenBell, APortThatSomebodyElseBindsIsNoBell) {
  meet_half();
  machine_.ports.steal(2);
  const Warnings warnings;
  settle();
  expect_no_bells();
  EXPECT_EQ(machine_.ports.count(1), 0u);
  EXPECT_EQ(warnings.count(), 0u);
}

TEST_F(HvXenBell, APortThatIsNotThereIsNoBell) {
  for (const char* port : {"4d", "ffffffff", "7fffffff"}) {
    begin(XenBellUse::kFabric);
    EXPECT_EQ(machine_.ports.count(), 0u);
    put_word(a_, machine_.value(node_of(a_)).substr(machine_.value(node_of(a_)).rfind(' ') + 1));
    const std::string text = machine_.value(node_of(a_));
    machine_.put(node_of(a_), text.substr(0, text.size() - 2) + ' ' + port + '\n');
    const Warnings warnings;
    settle();
    expect_no_bells();
    EXPECT_EQ(machine_.ports.count(), 0u);
    EXPECT_EQ(warnings.count(), 0u);
  }
}

TEST_F(HvXenBell, WhoChangesItsWordHasTheOldBellOrNone) {
  begin();
  for (const char* word : {"4d", "0", "3", "ffffffff"}) {
    put_word(a_, word);
    put_word(b_, word);
    settle();
    EXPECT_EQ(machine_.ports.count(), 2u);
  }
  expect_bells();
}

TEST_F(HvXenBell, AStormIsHeardOnceInAPass) {
  begin();
  for (int pass = 0; pass < 100; ++pass) {
    machine_.ports.storm(2, 1000);
    const unsigned before = a_.told.rings;
    EXPECT_TRUE(move(a_));
    EXPECT_LE(a_.told.rings, before + 1);
    machine_.ports.storm(2, 1);
  }
  EXPECT_GE(a_.xen->counters().rung, 100u);
  settle();
  EXPECT_FALSE(readable(a_, 0));
  expect_bells();
}

TEST_F(HvXenBell, ARingForALinkThatIsGoneIsNothing) {
  begin();
  b_.link->ring();
  a_.link.reset();
  settle();
  EXPECT_EQ(a_.told.rings, 0u);
  EXPECT_FALSE(readable(a_, 0));
}

TEST_F(HvXenBell, ADeviceThatFailsEndsAllBellsAndNoLink) {
  begin();
  expect_bells();
  const Warnings warnings;
  a_.calls->channels().fail();
  settle();
  expect_no_bells();
  EXPECT_EQ(machine_.ports.count(), 0u);
  EXPECT_EQ(warnings.count(), 1u);
  b_.link.reset();
  settle();
  EXPECT_EQ(a_.told.losses, 1u);
}

TEST_F(HvXenBell, AMomentsSilenceIsNoDeath) {
  begin();
  b_.link->ring();
  b_.link.reset();  // rings too, by its alarm, before its note says anything
  EXPECT_EQ(a_.link->state(), LinkState::kOpen);
  settle();
  EXPECT_EQ(a_.told.losses, 1u);
  EXPECT_EQ(a_.told.why, Loss::kGone);
}

TEST(HvXenNote, ABellIsAWordMore) {
  const hv::Id own{5, 6};
  hv::Note note(7, 8);
  note.add_peer(own, 0x10, 0x20, 0x3ff);
  note.add_peer({9, 9}, 1, 2, 0);
  note.add_peer({10, 9}, 1, 2);
  EXPECT_EQ(note.text(),
            "xs1 7 8\nP 0000000000000005 10 20 3ff\nP 0000000000000009 1 2 0\n"
            "P 000000000000000a 1 2\n");
  const auto bell_of = [&](const hv::Id& process) {
    const auto parsed = hv::parse_note(note.text(), process, 1);
    EXPECT_TRUE(parsed);
    return parsed->bell;
  };
  EXPECT_EQ(bell_of(own), 0x3ffu);
  EXPECT_EQ(bell_of({9, 1}), 0u);
  EXPECT_EQ(bell_of({10, 1}), std::nullopt);
  EXPECT_FALSE(hv::parse_note("xs1 1 1\nP 5 1 2 x\n", own, 1));
  EXPECT_FALSE(hv::parse_note("xs1 1 1\nP 5 1 2 100000000\n", own, 1)) << "no port";
}

}  // namespace

}  // namespace xs::test
