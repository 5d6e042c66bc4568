// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/xen where things go wrong, over a fake of Xen: what docs/hv.md says of it. What goes well is
// the contract's (contract/hv_xen_fake_test.cpp).
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "hv/both.hpp"
#include "hv/fake/xen.hpp"
#include "hv/hv_rig.hpp"
#include "hv/local/local.hpp"
#include "hv/xen/pages.hpp"
#include "hv/xen/xen.hpp"
#include "util/bytes.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

class HvXen : public testing::Test {
 protected:
  struct Party {
    std::shared_ptr<FakeXenCalls> calls;
    std::unique_ptr<hv::Xen> xen;
    std::unique_ptr<hv::Link> link;
    Told told;
  };
  Party party(std::uint32_t domain) {
    Party made;
    made.calls = machine_.connect(domain);
    const hv::Card card{
        .host = {1, domain}, .process = {random_.next(), random_.next()}, .generation = 1};
    auto opened = hv::Xen::open(made.calls, card, random_);
    if (opened) made.xen = std::move(*opened);
    return made;
  }
  void begin() {
    a_ = party(1);
    b_ = party(2);
  }
  void meet() {
    meet(a_, b_);
    meet(b_, a_);
    EXPECT_TRUE(until([&] { return a_.told.openings == 1 && b_.told.openings == 1; }));
  }
  static void meet(Party& from, Party& to) {
    auto met = from.xen->meet(to.xen->card());
    ASSERT_TRUE(met);
    from.link = std::move(*met);
  }
  bool until(const std::function<bool()>& condition) {
    const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > late) return false;
      if (!move_both()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  bool move_both() {
    const bool a = move(a_);
    return move(b_) || a;
  }
  static bool move(Party& party) { return party.xen && party.xen->progress(party.told); }
  void settle() {
    while (move_both()) {
    }
  }
  static std::string node_of(const Party& party) {
    return hv::node_of(party.xen->card().domid, party.xen->card().process).data();
  }

  FakeXen machine_;
  util::SystemRandom random_;
  Party a_, b_;
};

TEST_F(HvXen, LeavesNothingBehind) {
  begin();
  meet();
  auto share = a_.link->share(3);
  ASSERT_TRUE(share);
  auto mapping = b_.link->map((*share)->offer());
  ASSERT_TRUE(mapping);
  EXPECT_EQ(a_.calls->watches(), 2u) << "its own domain's, and the other's directory";
  const std::size_t ours = machine_.nodes() - 2;
  a_.link.reset();
  a_.xen.reset();
  EXPECT_EQ(machine_.nodes() - 2, ours - 1);
  (*share).reset();
  EXPECT_EQ(machine_.granted(), 1u) << "the other's life page";
  (*mapping).reset();
  b_.link.reset();
  EXPECT_EQ(b_.calls->mapped(), 0u);
  EXPECT_EQ(b_.calls->watches(), 1u);
  EXPECT_EQ(machine_.granted(), 0u);
}

TEST_F(HvXen, ShareOfEverySizeIsMapped) {
  begin();
  meet();
  machine_.pages_left = 10000;
  for (const std::size_t pages : {1u, 2u, 6u, 7u, 1024u, 1025u, 2048u}) {
    auto share = a_.link->share(pages);
    ASSERT_TRUE(share) << pages;
    auto mapping = b_.link->map((*share)->offer());
    ASSERT_TRUE(mapping) << pages;
    const auto own = (*share)->bytes();
    for (std::size_t at = 0; at < own.size(); at += 4000)
      own[at] = static_cast<std::byte>(at / 4000 % 251);
    const auto seen = (*mapping)->bytes();
    ASSERT_EQ(seen.size(), own.size());
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), own.begin())) << pages;
  }
}

TEST_F(HvXen, AKilledPeerIsNoticedByItsPage) {
  begin();
  meet();
  settle();
  b_.calls->kill();
  struct pollfd ready = {.fd = a_.xen->descriptor(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ready, 1, 5000), 1);
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
  EXPECT_EQ(a_.told.why, Loss::kGone);
}

TEST_F(HvXen, WhatAKilledProcessLeftIsRemovedByTheNextOne) {
  begin();
  const std::string left = node_of(b_), living = node_of(a_);
  b_.calls->kill();
  b_.xen.reset();
  Party same = party(1);
  EXPECT_NE(machine_.value(living), "");
  EXPECT_NE(machine_.value(left), "") << "it is another VM's";
  Party next = party(2);
  EXPECT_EQ(machine_.value(left), "");
  EXPECT_NE(machine_.value(node_of(next)), "");
  machine_.put(left, "xs1 1 1\n");
  Party third = party(2);
  EXPECT_NE(machine_.value(left), "") << "who lives in another network namespace can't be seen";
}

TEST_F(HvXen, NothingIsSharedWithAPeerThatWasKilled) {
  begin();
  meet();
  b_.calls->kill();
  EXPECT_EQ(a_.link->share(1).error().code, ENOTCONN);
  EXPECT_EQ(a_.link->map(hv::Offer{}).error().code, ENOTCONN);
  EXPECT_EQ(a_.calls->mapped(), 0u);
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
}

TEST_F(HvXen, WhoMeetsAKilledPeerWaitsForNothing) {
  begin();
  meet();
  b_.calls->kill();  // its node still says that it has met a_
  Party late = party(3);
  meet(late, b_);
  for (int i = 0; i < 10; ++i) move(late);
  EXPECT_EQ(late.told.openings, 0u);
  EXPECT_EQ(late.link->state(), LinkState::kMeeting);
}

TEST_F(HvXen, APeerWhoseNodeIsRemovedIsLost) {
  begin();
  meet();
  machine_.remove(node_of(b_));
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
  EXPECT_EQ(a_.told.why, Loss::kGone);
}

TEST_F(HvXen, WithoutPagesLeftShareIsPutOff) {
  begin();
  meet();
  machine_.pages_left = 2;
  const Warnings warnings;
  EXPECT_EQ(a_.link->share(3).error().code, EAGAIN);
  EXPECT_EQ(a_.link->share(3).error().code, EAGAIN);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(a_.xen->counters().exhausted, 2u);
  EXPECT_TRUE(a_.link->share(2)) << "nothing was taken";
}

TEST_F(HvXen, WithoutAPageForALifeNobodyIsMet) {
  begin();
  machine_.pages_left = 0;
  EXPECT_EQ(a_.xen->meet(b_.xen->card()).error().code, ENOSPC);
  machine_.pages_left = 2;
  meet();
}

TEST_F(HvXen, AStaleReferenceIsNotMapped) {
  begin();
  meet();
  auto share = a_.link->share(2);
  const hv::Offer offer = (*share)->offer();
  (*share).reset();
  EXPECT_EQ(b_.link->map(offer).error().code, EAGAIN);
  EXPECT_EQ(b_.link->state(), LinkState::kOpen);
}

// References are used again: the page that a late offer names is another share's.
TEST_F(HvXen, AnotherSharesPageIsNotMapped) {
  begin();
  meet();
  auto one = a_.link->share(2);
  auto two = a_.link->share(2);
  hv::GrantName name = hv::decode_grant((*one)->offer());
  name.head = hv::decode_grant((*two)->offer()).head;
  EXPECT_EQ(b_.link->map(hv::encode(name)).error().code, EAGAIN);
  EXPECT_EQ(b_.link->state(), LinkState::kOpen);
}

TEST_F(HvXen, AWrongNonceIsALie) {
  begin();
  meet();
  auto share = a_.link->share(2);
  hv::GrantName name = hv::decode_grant((*share)->offer());
  ++name.nonce.low;
  const Warnings warnings;
  EXPECT_EQ(b_.link->map(hv::encode(name)).error().code, EBADMSG);
  EXPECT_EQ(b_.link->state(), LinkState::kLost);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(b_.xen->counters().bad_pages, 1u);
  EXPECT_TRUE(until([&] { return a_.told.losses == 1 && b_.told.losses == 1; }));
  EXPECT_EQ(b_.told.why, Loss::kFault);
  EXPECT_EQ(a_.told.why, Loss::kGone);
}

TEST_F(HvXen, AListOfReferencesThatAreNoneIsNotMapped) {
  begin();
  meet();
  auto share = a_.link->share(3);
  const hv::GrantName name = hv::decode_grant((*share)->offer());
  machine_.scribble(1, name.head, 41, std::byte{0xff});  // of the second page's reference
  const std::size_t before = b_.calls->mapped();
  EXPECT_EQ(b_.link->map((*share)->offer()).error().code, EAGAIN);
  EXPECT_EQ(b_.calls->mapped(), before);
}

TEST_F(HvXen, ANoteThatIsNonsenseOpensNothing) {
  begin();
  meet(a_, b_);
  for (const char* text :
       {"", "xs1", "xs2 1 1\n", "xs1 1 1\nP \n", "xs1 1 1\nL 1\n", "xs1 g 1\n", "xs1 1\n"}) {
    machine_.put(node_of(b_), text);
    for (int i = 0; i < 5; ++i) move(a_);
    EXPECT_EQ(a_.link->state(), LinkState::kMeeting) << text;
  }
  EXPECT_EQ(a_.told.losses, 0u);
}

TEST_F(HvXen, OneWatchTooManyLeavesTheLinksStanding) {
  machine_.most_watches = 1;
  begin();
  const Warnings warnings;
  meet();
  EXPECT_GE(warnings.count(), 1u);
  b_.link.reset();
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; })) << "it looks once a second";
}

// For onlookers, and no sooner than a second later: others read a node whenever it is written.
TEST_F(HvXen, ANoteSaysHowManyPagesAreGranted) {
  begin();
  meet();
  settle();
  const auto granted = [&] {
    const auto note = hv::parse_whole_note(machine_.value(node_of(a_)));
    return note && note->peers.size() == 1 ? note->peers[0].granted.value_or(999) : 999;
  };
  EXPECT_EQ(granted(), 0u);
  auto small = a_.link->share(3), large = a_.link->share(17);
  settle();
  EXPECT_EQ(granted(), 0u);
  EXPECT_TRUE(until([&] { return granted() == 3 + 18; })) << "with the list's page";
  (*large).reset();
  EXPECT_TRUE(until([&] { return granted() == 3; }));
  const auto note = hv::parse_whole_note(machine_.value(node_of(a_)));
  EXPECT_EQ(note->pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(note->lives, std::vector<std::uint32_t>{2});
}

TEST_F(HvXen, WithoutADataOfItsOwnADomainHasNoXen) {
  machine_.data_is_ours = false;
  EXPECT_FALSE(party(1).xen);
}

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

TEST_F(HvXen, PeersHaveABound) {
  begin();
  std::vector<std::unique_ptr<hv::Link>> links;
  hv::Card card = b_.xen->card();
  for (std::size_t i = 0; i < hv::Xen::kMostLinks; ++i) {
    card.process.high += 1;
    auto link = a_.xen->meet(card);
    ASSERT_TRUE(link);
    links.push_back(std::move(*link));
  }
  card.process.high += 1;
  EXPECT_EQ(a_.xen->meet(card).error().code, EAGAIN);
  settle();
  EXPECT_EQ(a_.xen->counters().exhausted, 1u) << "all have room in the note";
}

// Both: the near peers and the far ones of one process.
class HvBoth : public HvXen {
 protected:
  struct Whole {
    std::shared_ptr<FakeXenCalls> calls;
    std::unique_ptr<hv::Backend> both;
    Told told;
  };
  Whole whole(std::uint32_t domain, const std::string& host) {
    Whole made;
    auto local = hv::Local::open(host, random_);
    made.calls = machine_.connect(domain);
    auto xen = hv::Xen::open(made.calls, (*local)->card(), random_);
    made.both = std::move(*hv::Both::make(std::move(*local), std::move(*xen)));
    return made;
  }
  struct Pair {
    std::unique_ptr<hv::Link> one, other;
  };
  Pair meet(Whole& a, Whole& b) {
    Pair pair{std::move(*a.both->meet(b.both->card())), std::move(*b.both->meet(a.both->card()))};
    EXPECT_TRUE(moved_until({&a, &b}, [&] {
      return pair.one->state() == LinkState::kOpen && pair.other->state() == LinkState::kOpen;
    }));
    return pair;
  }
  static bool moved_until(std::initializer_list<Whole*> all,
                          const std::function<bool()>& condition) {
    const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > late) return false;
      for (Whole* each : all) each->both->progress(each->told);
    }
    return true;
  }
};

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
