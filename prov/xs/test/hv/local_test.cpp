// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Peers that were honest until the link was open, and what this process may lack.
#include "hv/local/local.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>

#include "hv/hv_rig.hpp"
#include "hv/local/bell.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;
using hv::Message;
using hv::MessageKind;
using hv::UniqueFd;

namespace {

constexpr std::size_t kSize = 2 * hv::kPageSize;

class HvLocal : public HvRig {
 protected:
  static Message pages(std::uint64_t number, std::uint64_t size = kSize) {
    return {.kind = MessageKind::kPages, .first = number, .second = size};
  }
  // The link was lost for that reason, with one warning, and nothing of it is left.
  void expect_lost(Open& open, Loss why, const Holdings& before) {
    const Warnings warnings;
    progress();
    EXPECT_EQ(open.link->state(), LinkState::kLost);
    EXPECT_EQ(told_.losses, 1u);
    EXPECT_EQ(told_.why, why);
    EXPECT_EQ(warnings.count(), 1u);
    EXPECT_TRUE(open.peer.is_hung_up());
    open.peer.close();
    EXPECT_EQ(holdings(), before) << "all is given back before the owner lets go";
    open.link.reset();
    EXPECT_EQ(holdings(), before);
  }
};

TEST_F(HvLocal, BadPagesLoseTheLink) {
  for (const Flaw flaw : {Flaw::kUnsealed, Flaw::kShrinkable, Flaw::kGrowable, Flaw::kWritable,
                          Flaw::kSparse, Flaw::kSmall, Flaw::kOdd}) {
    const Holdings before = holdings();
    told_ = {};
    Open link = open();
    ASSERT_TRUE(link.peer.say(pages(1), memfd(kSize)));
    ASSERT_TRUE(link.peer.say(pages(2), memfd(kSize, flaw)));
    expect_lost(link, Loss::kFault, before);
  }
  EXPECT_EQ(local().counters().bad_pages, 7u);
}

TEST_F(HvLocal, NonsenseLosesTheLink) {
  std::vector<Message> nonsense(6, pages(2));
  nonsense[0].kind = MessageKind::kHello;
  nonsense[1].magic = 0;
  nonsense[2].kind = MessageKind::kWithdraw;  // with a descriptor
  nonsense[3].first = 1;                      // a number that was there before
  nonsense[4].first = 0;
  nonsense[5].zero = 1;
  for (const Message& message : nonsense) {
    const Holdings before = holdings();
    told_ = {};
    Open link = open();
    ASSERT_TRUE(link.peer.say(pages(1), memfd(kSize)));
    ASSERT_TRUE(link.peer.say(message, memfd(kSize)));
    expect_lost(link, Loss::kFault, before);
  }
  EXPECT_EQ(local().counters().nonsense, nonsense.size());
}

TEST_F(HvLocal, TooManyPagesLoseTheLink) {
  const Holdings before = holdings();
  Open link = open();
  for (std::uint64_t i = 1; i <= hv::kSharesPerLink; ++i)
    ASSERT_TRUE(link.peer.say(pages(i), memfd(kSize)));
  progress();
  EXPECT_EQ(told_.losses, 0u);
  EXPECT_EQ(told_.pages, hv::kSharesPerLink);
  ASSERT_TRUE(link.peer.say(pages(100), memfd(kSize)));
  expect_lost(link, Loss::kFault, before);
}

// Pages without the head of a share are mapped, but prove nothing.
TEST_F(HvLocal, PagesOfSomebodyElseProveNothing) {
  Open link = open();
  ASSERT_TRUE(link.peer.say(pages(1), memfd(kSize)));
  progress();
  auto mapped = link.link->map(encode(hv::PagesName{1, kSize, {7, 8}}));
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().code, EBADMSG);
  progress();
  EXPECT_EQ(told_.losses, 1u);
}

TEST_F(HvLocal, ACalledPeerMustGreetAsItself) {
  const hv::Card other = RawPeer::card_above(card());
  const Message good = RawPeer::hello(other, card());
  std::vector<Message> greetings(4, good);
  greetings[0].from = card().process;
  greetings[1].to = other.process;
  greetings[2].second += 1;
  greetings[3].first += 1;  // another life of the peer: no fault
  for (const Message& greeting : greetings) {
    const Holdings before = holdings();
    told_ = {};
    UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(RawPeer::listen_as(other, listener));
    auto met = local().meet(other);
    ASSERT_TRUE(met);
    RawPeer peer(UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    ASSERT_TRUE(peer.say(greeting, bell()));
    progress();
    EXPECT_EQ(told_.openings, 0u);
    EXPECT_EQ(told_.losses, 1u);
    EXPECT_EQ(told_.why, greeting.first == good.first ? Loss::kFault : Loss::kGone);
    peer.close();
    listener.reset();
    EXPECT_EQ(holdings(), before);
  }
  EXPECT_EQ(local().counters().nonsense, 3u);
  EXPECT_EQ(local().counters().stale, 1u);
}

TEST_F(HvLocal, NoDescriptorForPages) {
  const Holdings before = holdings();
  Open link = open();
  {
    const UniqueFd file = memfd(kSize);
    ASSERT_TRUE(link.peer.say(pages(1), file));
  }
  const Warnings warnings;
  {
    const LowLimit limit = few_descriptors(0);
    progress();
  }
  EXPECT_EQ(told_.losses, 1u);
  EXPECT_EQ(told_.why, Loss::kExhausted);
  EXPECT_EQ(local().counters().exhausted, 1u);
  EXPECT_EQ(warnings.count(), 1u);
  link.peer.close();
  EXPECT_EQ(holdings(), before);
}

TEST_F(HvLocal, NoDescriptorForAShare) {
  Open link = open();
  const Holdings before = holdings();
  const Warnings warnings;
  {
    const LowLimit limit = few_descriptors(0);
    for (int i = 0; i < 3; ++i) {
      auto shared = link.link->share(1);
      ASSERT_FALSE(shared);
      EXPECT_EQ(shared.error().code, EMFILE);
    }
  }
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(local().counters().exhausted, 3u);
  EXPECT_EQ(holdings(), before);
  EXPECT_TRUE(link.link->share(1)) << "the link stands";
}

// At every number of descriptors that are left, and in both roles.
TEST_F(HvLocal, TooFewDescriptorsToMeet) {
  for (const unsigned left : {20u, 8u, 7u, 6u, 5u, 4u, 3u, 2u, 1u, 0u}) {
    const Holdings before = holdings();
    util::SystemRandom random;
    auto second = hv::Local::open("", random);
    ASSERT_TRUE(second);
    Told told;
    {
      const LowLimit limit = few_descriptors(left);
      auto from_us = local().meet((*second)->card());
      auto from_them = (*second)->meet(card());
      for (int i = 0; i < 10; ++i) {
        progress();
        (*second)->progress(told);
      }
      EXPECT_FALSE(local().progress(told_)) << "it would spin";
      EXPECT_FALSE((*second)->progress(told)) << "it would spin";
    }
    second->reset();
    progress();
    EXPECT_EQ(holdings(), before) << left;
  }
  told_ = {};
  EXPECT_TRUE(open().link);
}

TEST_F(HvLocal, NoDescriptorForACaller) {
  const Warnings warnings;
  RawPeer refused = RawPeer::call(card());
  {
    const LowLimit limit = few_descriptors(0);
    progress();
    EXPECT_TRUE(refused.is_hung_up()) << "it is told no, not left waiting";
    EXPECT_FALSE(local().progress(told_)) << "it would spin";
  }
  EXPECT_EQ(local().counters().exhausted, 1u);
  EXPECT_EQ(warnings.count(), 1u);
  refused.close();
  EXPECT_TRUE(open().link);
}

// Under a sanitizer, whose own memory the limit would hit, this can't be tried.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(HvLocal, NoAddressSpace) {
  const Holdings before = holdings();
  Open link = open();
  constexpr std::size_t kLarge = hv::kMostPages * hv::kPageSize;
  ASSERT_TRUE(link.peer.say(pages(1, kLarge), memfd(kLarge)));
  {
    const LowLimit limit(RLIMIT_AS, 1 << 20);
    auto shared = link.link->share(hv::kMostPages);
    ASSERT_FALSE(shared);
    EXPECT_EQ(shared.error().code, ENOMEM);
    progress();
  }
  EXPECT_EQ(told_.losses, 1u);
  EXPECT_EQ(told_.why, Loss::kExhausted);
  EXPECT_EQ(local().counters().exhausted, 2u);
  link.peer.close();
  EXPECT_EQ(holdings(), before);
}
#endif

TEST_F(HvLocal, NoDescriptorAtAll) {
  const Holdings before = holdings();
  for (unsigned left = 0; left < 4; ++left) {
    const LowLimit limit = few_descriptors(left);
    util::SystemRandom random;
    auto opened = hv::Local::open("", random);
    EXPECT_EQ(static_cast<bool>(opened), left >= 3) << left;
  }
  EXPECT_EQ(holdings(), before);
}

// The peer has our bell as long as it likes: an eventfd is watched until its last descriptor
// closes.
TEST_F(HvLocal, ABellOfAFormerLinkWakesNobody) {
  const hv::Card other = RawPeer::card_below(card());
  RawPeer peer = RawPeer::call(card());
  ASSERT_TRUE(peer.say(RawPeer::hello(other, card()), bell()));
  auto met = local().meet(other);
  ASSERT_TRUE(met);
  progress();
  Message greeting;
  UniqueFd ours;
  ASSERT_EQ(peer.hear(greeting, ours), hv::Got::kMessage);
  const unsigned rings = told_.rings;
  hv::ring_bell(ours);
  progress();
  EXPECT_EQ(told_.rings, rings + 1);
  met->reset();
  hv::ring_bell(ours);
  EXPECT_FALSE(local().progress(told_));
}

TEST_F(HvLocal, ALinkThatIsDestroyedLeavesNothing) {
  const Holdings before = holdings();
  {
    Open link = open();
    ASSERT_TRUE(link.peer.say(pages(1), memfd(kSize)));
    auto shared = link.link->share(2);
    ASSERT_TRUE(shared);
    progress();
    link.link.reset();
    EXPECT_TRUE(link.peer.is_hung_up());
    EXPECT_EQ(holdings().memfds, before.memfds + 1) << "the share is its owner's";
    (*shared)->bytes()[0] = std::byte{1};
  }
  EXPECT_EQ(holdings(), before);
}

}  // namespace

}  // namespace xs::test
