// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/xen where things go wrong, over a fake of Xen: what docs/hv.md says of it. What goes well is
// the contract's (contract/hv_xen_fake_test.cpp). Pages, moves and the budget: xen_*_test.cpp.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "hv/xen_rig.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

TEST_F(HvXen, LeavesNothingBehind) {
  begin();
  meet();
  auto share = a_.link->share(3);
  ASSERT_TRUE(share);
  auto mapping = b_.link->map((*share)->offer());
  ASSERT_TRUE(mapping);
  EXPECT_EQ(a_.calls->watches(), 2u) << "its own domain's, and the other's directory";
  const std::size_t nodes = machine_.nodes();
  a_.link.reset();
  a_.xen.reset();
  EXPECT_EQ(machine_.nodes(), nodes - 2) << "its note, and what it is counted by";
  (*share).reset();
  EXPECT_EQ(machine_.granted(), 1u) << "the other's life page";
  (*mapping).reset();
  b_.link.reset();
  EXPECT_EQ(b_.calls->mapped(), 0u);
  EXPECT_EQ(b_.calls->watches(), 1u);
  EXPECT_EQ(machine_.granted(), 0u);
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

TEST_F(HvXen, APeerThatEndsBeforeItHasMetUsIsLost) {
  begin();
  meet(a_, b_);
  for (int i = 0; i < 10; ++i) move(a_);
  EXPECT_EQ(a_.link->state(), LinkState::kMeeting);
  b_.xen.reset();
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
  EXPECT_EQ(a_.told.why, Loss::kGone);
}

// Whatever it closes that it has inherited.
TEST_F(HvXen, AForkedChildLeavesTheNodesOfItsParent) {
  begin();
  meet();
  const std::string node = node_of(a_);
  const std::string mate = "/local/domain/1/data/xs-here" + node.substr(node.rfind('/'));
  ASSERT_NE(machine_.value(mate), "");
  const std::string note = machine_.value(node);
  const pid_t child = fork();
  if (child == 0) {
    a_.link.reset();
    a_.xen.reset();
    _exit((machine_.value(node) == note && machine_.value(mate) != "") ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(HvXen, APeerWhoseNodeIsRemovedIsLost) {
  begin();
  meet();
  machine_.remove(node_of(b_));
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
  EXPECT_EQ(a_.told.why, Loss::kGone);
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
  machine_.quota(1).watches = machine_.quota(2).watches = 1;
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

}  // namespace

}  // namespace xs::test
