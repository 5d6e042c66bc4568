// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How endpoints end, come back, are looked for and are waited on.
#include <poll.h>

#include <cerrno>

#include "contract/inner_contract.hpp"

namespace xs::test {

using carrier::InnerAddress;
using carrier::Posted;
using carrier::ProbeState;

namespace {

// Endpoints of one provider have nothing to do with each other.
TEST_P(InnerContract, AStalledEndpointHoldsUpNoOther) {
  Side& a = open();
  Side& stalled = open();
  Side& late = open();
  ASSERT_TRUE(exchange(a, stalled));
  ASSERT_TRUE(exchange(a, late));
  send(a, number(a, stalled), pattern(64, 1));
  settle();
  send(a, number(a, late), pattern(64, 2));
  settle();
  const Side::Transfer& receive = late.receive(64);
  ASSERT_TRUE(until([&] { return late.end_of(receive) != nullptr; }));
  EXPECT_EQ(receive.bytes, pattern(64, 2));
}

TEST_P(InnerContract, TakesBackReceivesThatNothingCameFor) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  Side::Transfer& plain = b.receive(64);
  Side::Transfer& tagged = b.tagged_receive(11, 64);
  b->cancel_receive(plain);
  b->cancel_receive(tagged);
  ASSERT_TRUE(until([&] { return b.end_of(plain) && b.end_of(tagged); }));
  EXPECT_EQ(b.end_of(plain)->error, ECANCELED);
  EXPECT_EQ(b.end_of(tagged)->error, ECANCELED);
  EXPECT_TRUE(exchange(a, b));
  EXPECT_EQ(plain.bytes, Bytes(64));
}

TEST_P(InnerContract, CancelOfWhatHasEndedDoesNothing) {
  Side& a = open();
  Side& b = open();
  Side::Transfer& receive = b.receive(64);
  send(a, number(a, b), pattern(64, 1));
  ASSERT_TRUE(until([&] { return b.end_of(receive) != nullptr; }));
  b->cancel_receive(receive);
  settle();
  EXPECT_EQ(b.ends().size(), 1u);
  EXPECT_TRUE(exchange(a, b));
}

// What was under way ends without a word, and its memory is free: a sanitizer sees to that.
TEST_P(InnerContract, ClosesWithEverythingUnderWay) {
  Side& a = open();
  Side& b = open();
  Side& c = open();
  ASSERT_TRUE(exchange(a, b));
  for (unsigned i = 0; i < 8; ++i) tagged_send(a, number(a, b), i, pattern(1 << 20, i));
  a.receive(4096);
  a.tagged_receive(3, 4096);
  a.close();
  settle();
  EXPECT_TRUE(exchange(c, b));
}

TEST_P(InnerContract, ReopensOnItsAddress) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  ASSERT_TRUE(exchange(b, a));
  const proto::Address name = b->name();
  b.close();
  Side& again = open(name);
  EXPECT_EQ(again->name(), name);
  EXPECT_TRUE(exchange(again, a)) << "from the one that was reopened";
  settle();
  EXPECT_TRUE(exchange(a, again)) << "to the one that was reopened";
}

TEST_P(InnerContract, AnAddressInUseIsNotOpenedTwice) {
  Side& a = open();
  auto second = provider().open(a->name());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().code, 0);
  EXPECT_TRUE(exchange(a, a));
}

TEST_P(InnerContract, APeerThatIsNotThereYetIsReachedLater) {
  Side& a = open();
  Side& absent = open();
  const proto::Address name = absent->name();
  const InnerAddress to = number(a, absent);
  absent.close();
  Side::Transfer& early = a.keep(pattern(64, 1));
  const struct iovec iov = early.iov();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(a->send(to, {&iov, 1}, early), Posted::kAgain);
    move_on();
  }
  EXPECT_EQ(a.end_of(early), nullptr);
  Side& b = open(name);
  EXPECT_TRUE(exchange(a, b));
}

// What was sent may be gone though it was reported as sent, but the way is found again without
// help.
TEST_P(InnerContract, FindsTheWayAgainAfterAPeerWasReplaced) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  const proto::Address name = b->name();
  const InnerAddress to = number(a, b);
  b.close();
  Side& again = open(name);
  const Side::Transfer& receive = again.receive(64);
  for (int attempt = 0; attempt < 20 && !again.end_of(receive); ++attempt) {
    send(a, to, pattern(64, 4));
    settle();
  }
  ASSERT_NE(again.end_of(receive), nullptr);
  EXPECT_EQ(receive.bytes, pattern(64, 4));
}

TEST_P(InnerContract, ProbeFindsWhoListens) {
  Side& a = open();
  const auto held = probe(a->name());
  EXPECT_EQ(result_of(*held), ProbeState::kAlive);
  settle();
  EXPECT_EQ(held->poll(), ProbeState::kAlive);
  Side& b = open();
  EXPECT_TRUE(exchange(b, a)) << "a probe disturbs nothing";
}

TEST_P(InnerContract, ProbeIsRefusedWhereNothingListens) {
  Side& a = open();
  const proto::Address name = a->name();
  a.close();
  const auto probe_of_none = probe(name);
  EXPECT_EQ(result_of(*probe_of_none), ProbeState::kRefused);
  EXPECT_EQ(probe_of_none->poll(), ProbeState::kRefused);
}

TEST_P(InnerContract, ProbeLearnsOfTheEnd) {
  Side& a = open();
  const proto::Address name = a->name();
  const auto held = probe(name);
  ASSERT_EQ(result_of(*held), ProbeState::kAlive);
  a.close();
  EXPECT_TRUE(until([&] { return held->poll() != ProbeState::kAlive; }));
  EXPECT_EQ(held->poll(), ProbeState::kClosed);
  EXPECT_EQ(result_of(*probe(name)), ProbeState::kRefused);
}

TEST_P(InnerContract, ProbeOfSilenceEnds) {
  const auto probe_of_silence = probe(world_->silent_address());
  EXPECT_EQ(probe_of_silence->poll(), ProbeState::kWaiting);
  EXPECT_EQ(result_of(*probe_of_silence), ProbeState::kSilent);
}

bool readable(int descriptor, int milliseconds) {
  struct pollfd ready = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, milliseconds) == 1;
}

TEST_P(InnerContract, WaitDescriptorTellsOfWork) {
  Side& a = open();
  Side& b = open();
  if (!GetParam().has_wait_descriptor) {
    EXPECT_EQ(b->wait_descriptor(), -1);
    return;
  }
  ASSERT_GE(b->wait_descriptor(), 0);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(exchange(a, b));
    ASSERT_TRUE(until([&] { return b->may_sleep(); }));
    EXPECT_FALSE(readable(b->wait_descriptor(), 20)) << "it would spin";
    const Side::Transfer& receive = b.receive(64);
    EXPECT_FALSE(b->may_sleep()) << "posting may have ended something";
    ASSERT_TRUE(until([&] { return b->may_sleep(); }));
    const Side::Transfer& sent = send(a, number(a, b), pattern(64, 1));
    EXPECT_TRUE(b.end_of(receive) || readable(b->wait_descriptor(), 5000));
    EXPECT_TRUE(until([&] { return b.end_of(receive) && a.end_of(sent); }));
  }
}

}  // namespace

}  // namespace xs::test
