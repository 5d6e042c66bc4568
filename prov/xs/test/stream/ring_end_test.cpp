// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a session ends that has a ring: docs/paths.md sections 5 and 9.
#include <algorithm>

#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

class RingEndTest : public JoinedRingTest {};

TEST_F(RingEndTest, goodbye_goes_where_the_stream_goes) {
  commit_and_forget(2);
  session->say_goodbye();
  EXPECT_TRUE(rig.said().empty());
  EXPECT_EQ(numbers_in_ring(), (Numbers{1, 2, 3}));
  rig.pass(kQuiet / 2);
  EXPECT_TRUE(session->drained());
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.settle();
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_EQ(peer.taken_by_them(), 1u);
}

// The last frame that one visit takes, in the pass that forgets the ring.
TEST_F(RingEndTest, goodbye_as_the_last_of_a_visit_is_acknowledged) {
  session->say_goodbye();
  ASSERT_TRUE(peer.take());
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(put_letter());
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.clock.time += kQuiet;  // a tick is due
  rig.streams->progress();
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 16u);
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_EQ(peer.taken_by_them(), 16u);
}

// Both have said everything, but the session stays to answer for as long as the endpoint lives: its
// pages are others' until then, and keep a domain that has moved alive.
TEST_F(RingEndTest, closed_session_gives_its_ring_back) {
  session->say_goodbye();
  ASSERT_TRUE(peer.take());
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.settle();
  rig.settle();
  ASSERT_EQ(session->state(), SessionState::kClosed);
  expect_nothing_stands();
  EXPECT_EQ(peer.taken_by_them(), 1u);
}

TEST_F(RingEndTest, crossing_goodbye_goes_over_the_fabric) {
  session->say_goodbye();
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.settle();
  EXPECT_EQ(session->state(), SessionState::kClosed);
  rig.pass(kQuiet);
  EXPECT_EQ(of_kind(rig.said(), Kind::kGoodbye).size(), 1u);
  // It is kept like any other: whoever goes back finds it.
  rig.hear(peer.ping(2));
  EXPECT_EQ(session->state(), SessionState::kClosed);
}

// What a ring carries acknowledges nothing, and an ACK may be lost: GOODBYE can't be.
TEST_F(RingEndTest, goodbye_says_what_was_taken) {
  rig.hear(letter());
  ASSERT_TRUE(put_letter());
  rig.settle();
  session->say_goodbye();
  const auto goodbye = peer.take();
  ASSERT_TRUE(goodbye);
  ASSERT_EQ(goodbye->head.kind, Kind::kGoodbye);
  EXPECT_EQ(proto::decode_goodbye(goodbye->body)->taken, 3u);
}

// Ours had gone over the fabric when we went back for the ring, which the peer never looked into.
TEST_F(RingEndTest, what_a_goodbye_says_was_taken_is) {
  commit_and_forget(2);
  peer.ack = 3;
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.settle();
  EXPECT_EQ(session->unacknowledged(), 0u);
  session->neighbour_lost(LeaveReason::kLink);
  rig.settle();
  EXPECT_TRUE(numbers_said().empty()) << "nothing of it is said again";
}

// The ACK comes before GOODBYE, or after it.
TEST_F(RingEndTest, beside_a_goodbye_the_word_of_the_fabric_counts) {
  commit_and_forget(2);
  rig.hear(peer.ack_up_to(2));
  EXPECT_EQ(session->unacknowledged(), 2u) << "where the ring has room it does not tell";
  peer.ack = 1;
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.settle();
  EXPECT_EQ(session->unacknowledged(), 1u);
  rig.hear(peer.ack_up_to(3));
  EXPECT_EQ(session->unacknowledged(), 0u);
}

TEST_F(RingEndTest, goodbye_that_says_too_much_is_a_lie) {
  commit_and_forget(2);
  peer.ack = 4;
  ASSERT_TRUE(peer.put_next(Kind::kGoodbye));
  rig.settle();
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTO});
}

TEST_F(RingEndTest, word_of_the_fabric_counts_when_the_ring_is_left) {
  commit_and_forget(3);
  rig.hear(peer.ack_up_to(3));
  session->leave(LeaveReason::kBudget);
  rig.settle();
  EXPECT_EQ(session->unacknowledged(), 1u);
  EXPECT_EQ(numbers_said(), (Numbers{3}));
}

// A frame with a cookie, whose end is reported.
TEST_F(RingEndTest, word_of_the_fabric_counts_when_the_session_ends) {
  FrameBuffer* const frame = session->claim(Kind::kEager, proto::kEnvelopeSize);
  ASSERT_TRUE(frame);
  std::ranges::fill_n(frame->body(), proto::kEnvelopeSize, std::byte{});
  session->commit(*frame, proto::kTagged, 77);
  ASSERT_TRUE(commit());
  rig.hear(peer.ack_up_to(2));
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
  EXPECT_EQ(rig.upper.released, (std::vector<Scribe::Released>{{77, 0}}));
}

// What an endpoint's new life says is believed only after what the old one wrote was taken.
TEST_F(RingEndTest, ring_is_drained_before_a_newer_session_opens) {
  Stranger newer{2000, 0x7171};
  newer.life = {9, 9};
  rig.hear(newer.hello());
  ASSERT_TRUE(newer.read(rig.said()));
  ASSERT_TRUE(put_letter());
  rig.inner.endpoints.front()->arrives(newer.frame(Kind::kAck, 0));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(put_letter());
  rig.streams->look_everywhere();
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 4u);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
}

// More than one visit takes.
TEST_F(RingEndTest, ring_is_drained_before_a_reset_ends_the_session) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(put_letter());
  rig.inner.endpoints.front()->arrives(peer.reset(proto::ResetReason::kUnknown));
  rig.streams->look_everywhere();
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 4u);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
}

// Its last words come after our last look at the ring and before the last refusal.
TEST_F(RingEndTest, ring_is_drained_before_a_dead_peer_is_told) {
  constexpr unsigned kRefusals = 9;  // that convict
  rig.inner.probe_finds = carrier::ProbeState::kRefused;
  rig.inner.on_probe = [&] {
    for (int i = 0; i < 4 && rig.inner.probes == kRefusals; ++i) EXPECT_TRUE(put_letter());
  };
  commit_and_forget(1);
  for (int i = 0; i < 100 && rig.upper.ended.empty(); ++i) rig.pass(kQuiet / 2);
  EXPECT_EQ(rig.inner.probes, kRefusals);
  EXPECT_EQ(rig.upper.frames.size(), 4u);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
}

}  // namespace
}  // namespace xs::stream::test
