// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who calls at the introducing socket without being expected, and what it costs.
#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cerrno>

#include "hv/hv_rig.hpp"

namespace xs::test {

using hv::Message;
using hv::UniqueFd;

namespace {

class HvStrangers : public HvRig {
 protected:
  // The caller was hung up on, and nothing of it is left.
  void expect_refused(RawPeer& peer, const Holdings& before) {
    progress();
    EXPECT_TRUE(peer.is_hung_up());
    peer.close();
    progress();
    EXPECT_EQ(holdings(), before);
  }
  // Somebody who opens here and now is elsewhere, for both, and nobody is warned of that.
  bool nobody_meets() {
    const Warnings warnings;
    util::SystemRandom random;
    auto theirs = hv::Local::open("", random);
    if (!theirs) return false;
    auto met = (*theirs)->meet(card());
    auto back = local().meet((*theirs)->card());
    return !met && met.error().code == EHOSTUNREACH && !back && back.error().code == EHOSTUNREACH &&
           warnings.count() == 0;
  }
};

TEST_F(HvStrangers, WhoSayNothingAreFew) {
  const Holdings before = holdings();
  std::vector<RawPeer> peers;
  for (std::size_t i = 0; i < 3 * hv::Local::kMostSilent; ++i) {
    peers.push_back(RawPeer::call(card()));
    progress();
  }
  EXPECT_EQ(local().counters().evicted, 2 * hv::Local::kMostSilent);
  EXPECT_EQ(holdings().descriptors, before.descriptors + 4 * hv::Local::kMostSilent);
  EXPECT_TRUE(peers.front().is_hung_up());
  EXPECT_FALSE(peers.back().is_hung_up());
  peers.clear();
  progress();
  EXPECT_EQ(holdings(), before);
  EXPECT_TRUE(open().link) << "it still meets others";
}

TEST_F(HvStrangers, WhoSayNonsenseAreHungUpOn) {
  const Warnings warnings;
  const Holdings before = holdings();
  const hv::Card other = RawPeer::card_below(card());
  std::vector<Message> nonsense(7, RawPeer::hello(other, card()));
  nonsense[0].magic ^= 1;
  nonsense[1].version += 1;
  nonsense[2].kind = static_cast<hv::MessageKind>(0);
  nonsense[3].kind = static_cast<hv::MessageKind>(5);
  nonsense[4].kind = hv::MessageKind::kPages;
  nonsense[5].zero = 1;
  nonsense[6].from = RawPeer::card_above(card()).process;  // it should have been called
  for (const Message& message : nonsense) {
    RawPeer peer = RawPeer::call(card());
    ASSERT_TRUE(peer.say(message, bell()));
    expect_refused(peer, before);
  }
  EXPECT_EQ(local().counters().nonsense, nonsense.size());
  EXPECT_EQ(warnings.count(), 1u);
}

TEST_F(HvStrangers, WhoseMessagesHaveStrangeSizesAreHungUpOn) {
  const Holdings before = holdings();
  std::array<std::byte, 4096> bytes{};
  for (const std::size_t size : {1u, 63u, 64u, 65u, 4096u}) {
    RawPeer peer = RawPeer::call(card());
    ASSERT_TRUE(peer.say_bytes(bytes.data(), size));
    expect_refused(peer, before);
  }
  EXPECT_EQ(local().counters().nonsense, 5u);
}

TEST_F(HvStrangers, WhoHandOverStrangeThingsAreHungUpOn) {
  const Holdings before = holdings();
  const Message hello = RawPeer::hello(RawPeer::card_below(card()), card());
  const UniqueFd blocking(eventfd(0, EFD_CLOEXEC));
  const UniqueFd file(::open("/dev/null", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  const Holdings with = holdings();
  for (const UniqueFd* fd : {&blocking, &file}) {
    RawPeer peer = RawPeer::call(card());
    ASSERT_TRUE(peer.say(hello, *fd));
    expect_refused(peer, with);
  }
  RawPeer none = RawPeer::call(card());
  ASSERT_TRUE(none.say(hello, UniqueFd()));
  expect_refused(none, with);
  RawPeer many = RawPeer::call(card());
  ASSERT_TRUE(many.say_with_descriptors(hello, {0, 1, 2, 0, 1, 2}));
  expect_refused(many, with);
  EXPECT_EQ(local().counters().nonsense, 4u);
  EXPECT_EQ(with.descriptors, before.descriptors + 2);
}

TEST_F(HvStrangers, WhoGreetAnotherLifeAreQuietlyHungUpOn) {
  const Warnings warnings;
  const Holdings before = holdings();
  hv::Card stale = card();
  stale.generation += 1;
  hv::Card other = card();
  other.process.low ^= 1;
  for (const hv::Card& greeted : {stale, other}) {
    RawPeer peer = RawPeer::call(card());
    ASSERT_TRUE(peer.say(RawPeer::hello(RawPeer::card_below(card()), greeted), bell()));
    expect_refused(peer, before);
  }
  EXPECT_EQ(local().counters().stale, 2u);
  EXPECT_EQ(warnings.count(), 0u);
}

TEST_F(HvStrangers, GuestsAreNotTooMany) {
  const LowLimit enough(RLIMIT_NOFILE, 2048);
  const Holdings before = holdings();
  std::vector<RawPeer> peers;
  for (std::size_t i = 0; i < hv::Local::kMostGuests + 10; ++i) {
    hv::Card other = RawPeer::card_below(card());
    other.process.low = i + 1;
    peers.push_back(RawPeer::call(card()));
    ASSERT_TRUE(peers.back().say(RawPeer::hello(other, card()), bell()));
    progress();
  }
  EXPECT_EQ(local().counters().evicted, 10u);
  EXPECT_TRUE(peers[9].is_hung_up());
  EXPECT_FALSE(peers[10].is_hung_up());
  peers.clear();
  progress();
  EXPECT_EQ(holdings(), before);
}

TEST_F(HvStrangers, AGuestThatGoesOnIsHungUpOn) {
  const Holdings before = holdings();
  RawPeer peer = RawPeer::call(card());
  const Message hello = RawPeer::hello(RawPeer::card_below(card()), card());
  ASSERT_TRUE(peer.say(hello, bell()));
  progress();
  EXPECT_FALSE(peer.is_hung_up());
  ASSERT_TRUE(peer.say(hello, bell()));
  expect_refused(peer, before);
}

TEST_F(HvStrangers, OtherUsersAreRefusedQuietly) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  const Warnings warnings;
  const Holdings before = holdings();
  const hv::Card other = RawPeer::card_below(card());
  EXPECT_TRUE(as_other_user([&] {
    RawPeer peer = RawPeer::call(card());
    return peer && peer.say(RawPeer::hello(other, card()), bell());
  }));
  progress();
  EXPECT_EQ(local().counters().other_user, 1u);
  EXPECT_EQ(warnings.count(), 0u);
  EXPECT_EQ(holdings(), before);
}

TEST_F(HvStrangers, OtherUsersLiveElsewhere) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  const hv::Card ours = card();
  EXPECT_TRUE(as_other_user([&] {
    util::SystemRandom random;
    auto theirs = hv::Local::open("", random);
    if (!theirs) return false;
    auto met = (*theirs)->meet(ours);
    if (met || met.error().code != EHOSTUNREACH) return false;
    // And if the card were a lie: the kernel says whose socket it is.
    hv::Card lie = (*theirs)->card();
    lie.process = ours.process;
    lie.generation = ours.generation;
    auto lied_to = (*theirs)->meet(lie);
    return lied_to || lied_to.error().code == ECONNREFUSED;
  }));
}

// A container's, say, of the same kernel.
TEST_F(HvStrangers, OtherNamespacesAreElsewhere) {
  if (geteuid() != 0) GTEST_SKIP() << "only root makes namespaces";
  EXPECT_TRUE(in_other_namespace(CLONE_NEWNS, [&] { return nobody_meets(); }));
  EXPECT_TRUE(in_other_namespace(CLONE_NEWNET, [&] { return nobody_meets(); }));
  EXPECT_FALSE(in_other_namespace(0, [&] { return nobody_meets(); })) << "a child is no stranger";
}

TEST_F(HvStrangers, OtherUserNamespacesAreElsewhere) {
  // The kernel gives none to who has threads, as ThreadSanitizer has, and none in a chroot.
  if (!in_other_namespace(CLONE_NEWUSER, [] { return true; }))
    GTEST_SKIP() << "there are no user namespaces here";
  EXPECT_TRUE(in_other_namespace(CLONE_NEWUSER, [&] { return nobody_meets(); }));
}

}  // namespace

}  // namespace xs::test
