// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a session leaves a ring in good order: docs/paths.md sections 5 and 9.
#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

class LeaveTest : public JoinedRingTest {};

TEST_F(LeaveTest, what_is_not_taken_goes_over_the_fabric) {
  commit_and_forget(5);
  EXPECT_EQ(peer.take()->head.number, 1u);
  EXPECT_EQ(peer.take()->head.number, 2u);
  session->leave(LeaveReason::kBudget);
  rig.settle();
  EXPECT_EQ(numbers_said(), (Numbers{3, 4, 5}));
  EXPECT_EQ(session->unacknowledged(), 3u);
  EXPECT_EQ(link.revoked, 1u);
}

// The peer goes on taking while we leave. Who is told of room just then must not write where frames
// stood that nobody has noted as taken.
TEST_F(LeaveTest, room_that_is_told_of_while_leaving_is_not_in_the_ring) {
  constexpr std::size_t kLarge = 3000;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(commit(kLarge));
  ASSERT_FALSE(session->claim_in_ring(proto::kEnvelopeSize + kLarge)) << "it is full";
  ASSERT_TRUE(peer.take());
  rig.upper.on_window = [this](Session&) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(peer.take());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(commit(kLarge));
  };
  session->leave(LeaveReason::kBudget);
  rig.settle();
  EXPECT_EQ(rig.upper.windows, 1u);
  EXPECT_EQ(numbers_said(), (Numbers{2, 3, 4, 5, 6, 7, 8}));
}

// As they were, whether they ran over the end of the ring or not.
TEST_F(LeaveTest, replayed_frames_are_what_was_committed) {
  std::uint64_t number = 1;
  for (int i = 0; i < 17; ++i, ++number) {
    ASSERT_TRUE(commit(700));
    ASSERT_TRUE(peer.take());
  }
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(commit(1000 + i));
  session->leave(LeaveReason::kBudget);
  rig.settle();
  const auto said = of_kind(rig.said(), Kind::kEager);
  ASSERT_EQ(said.size(), 7u);
  for (std::size_t i = 0; i < said.size(); ++i) {
    EXPECT_EQ(prefix_of(said[i]).seq, number + i);
    EXPECT_EQ(prefix_of(said[i]).flags, proto::kTagged);
    const auto body = body_in(said[i]);
    EXPECT_EQ(Frame(body.begin(), body.end()), eager(1, Frame(1000 + i, std::byte{0x77})));
  }
}

TEST_F(LeaveTest, peers_ring_is_drained_first) {
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(put_letter());
  session->leave(LeaveReason::kBudget);
  EXPECT_EQ(rig.upper.frames.size(), 40u);
  EXPECT_EQ(peer.taken_by_them(), 40u) << "its own consumption is published";
  const auto said = of_kind(rig.said(), Kind::kLeft);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(prefix_of(said[0]).ack, 41u) << "from where the peer replays";
}

TEST_F(LeaveTest, says_so_until_it_is_answered) {
  session->leave(LeaveReason::kBudget);
  rig.said();
  std::size_t said = 0;
  for (int i = 0; i < 64; ++i) {
    rig.pass(kQuiet);
    said += lefts().size();
  }
  EXPECT_GE(said, 4u);
  EXPECT_LE(said, 8u);
  rig.hear(peer.left(1, true));
  expect_nothing_stands();
  rig.pass(60 * util::kSecond);
  EXPECT_TRUE(lefts().empty());
  expect_goes_on();
}

// What the peer wrote until it heard of it is taken from its ring.
TEST_F(LeaveTest, drains_once_more_at_the_end) {
  session->leave(LeaveReason::kBudget);
  ASSERT_TRUE(put_letter());
  rig.settle();
  EXPECT_TRUE(rig.upper.frames.empty());
  EXPECT_EQ(link.mappings, 1u);
  rig.said();
  rig.hear(peer.left(1, true));
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  const auto acks = of_kind(rig.said(), Kind::kAck);
  ASSERT_FALSE(acks.empty());
  EXPECT_EQ(prefix_of(acks.back()).ack, 2u);
  expect_nothing_stands();
}

TEST_F(LeaveTest, peers_left_is_answered) {
  commit_and_forget(3);
  ASSERT_TRUE(put_letter());
  peer.ack = 3;  // it has taken two that it had no time to publish
  rig.hear(peer.left(1));
  const auto said = rig.said();
  const auto left = of_kind(said, Kind::kLeft);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_TRUE(proto::decode_left(body_in(left[0]))->answer);
  EXPECT_EQ(prefix_of(left[0]).ack, 2u);
  const auto replayed = of_kind(said, Kind::kEager);
  ASSERT_EQ(replayed.size(), 1u);
  EXPECT_EQ(prefix_of(replayed[0]).seq, 3u);
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  expect_nothing_stands();
}

TEST_F(LeaveTest, left_again_is_answered_again) {
  rig.hear(peer.left(1));
  rig.said();
  rig.hear(peer.left(1));
  expect_left(1, true, LeaveReason::kAsked);
  expect_goes_on();
}

// Both at once.
TEST_F(LeaveTest, lefts_that_cross_are_answers_enough) {
  session->leave(LeaveReason::kBudget);
  rig.said();
  rig.hear(peer.left(1));
  expect_left(1, true, LeaveReason::kAsked);
  expect_nothing_stands();
  rig.hear(peer.left(1, true));
  EXPECT_TRUE(rig.said().empty());
  expect_goes_on();
}

// An answer to an older OFFER that came late: the other side does not know that we have joined.
TEST_F(LeaveTest, answer_in_a_joined_ring_is_told_again) {
  rig.said();
  rig.hear(peer.left(1, true));
  expect_left(1, false, LeaveReason::kAsked);
  expect_nothing_stands();
  expect_goes_on();
}

TEST_F(LeaveTest, left_of_another_epoch_leaves_the_ring_alone) {
  commit_and_forget(1);
  rig.hear(peer.left(9));
  expect_left(9, true, LeaveReason::kAsked);
  rig.hear(peer.left(9, true));
  EXPECT_TRUE(rig.said().empty());
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(LeaveTest, acknowledgements_of_the_fabric_count_again) {
  commit_and_forget(3);
  rig.hear(peer.ack_up_to(3));
  EXPECT_EQ(session->unacknowledged(), 3u) << "P5: while a ring is written, its word alone says";
  session->leave(LeaveReason::kBudget);
  rig.hear(peer.ack_up_to(3));
  EXPECT_EQ(session->unacknowledged(), 1u);
}

TEST_F(LeaveTest, acknowledging_what_was_never_put_is_a_lie) {
  commit_and_forget(1);
  rig.hear(peer.ack_up_to(3));
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTO});
}

// Who does not know yet that we have left asks why nothing is taken: it is told at once.
TEST_F(LeaveTest, ping_while_leaving_is_told_again) {
  session->leave(LeaveReason::kBudget);
  rig.said();
  rig.hear(peer.ping(1));
  const auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kLeft).size(), 1u);
  EXPECT_EQ(of_kind(said, Kind::kAck).size(), 1u);
}

// The way that we went by may be dead, which is why the peer has not heard that we left: what it
// asks over another one is told there, and before the answer that would say the ring is frozen.
TEST_F(LeaveTest, ping_over_another_way_is_told_there) {
  session->leave(LeaveReason::kBudget);
  rig.said();
  const proto::Address way = test_address(2001);
  const proto::Ping ping{.sender = peer.life, .home = peer.home, .lane = 2, .answer = way};
  rig.hear(peer.frame(Kind::kPing, 1, body_of(ping)));
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(prefix_of(said[0]).kind, Kind::kLeft);
  EXPECT_EQ(prefix_of(said[1]).kind, Kind::kAck);
  for (const Handed& each : said) EXPECT_EQ(each.to, way);
}

TEST_F(LeaveTest, ping_is_not_answered_before_it_is_told) {
  session->leave(LeaveReason::kBudget);
  rig.said();
  rig.inner.answer = carrier::Posted::kAgain;
  rig.hear(peer.ping(1));
  EXPECT_TRUE(rig.said().empty());
  rig.inner.answer = carrier::Posted::kOk;
  rig.settle();
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(prefix_of(said[0]).kind, Kind::kLeft);
  EXPECT_EQ(prefix_of(said[1]).kind, Kind::kAck);
}

// ---- Links ----

TEST_F(LeaveTest, lost_link_is_not_waited_for) {
  commit_and_forget(2);
  ASSERT_TRUE(put_letter());
  session->neighbour_lost(LeaveReason::kLink);
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  const auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kLeft).size(), 1u);
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 2u);
  expect_nothing_stands();
  EXPECT_EQ(warnings.count(), 0u);
  expect_goes_on();
}

TEST_F(LeaveTest, link_lost_while_leaving) {
  session->leave(LeaveReason::kBudget);
  ASSERT_TRUE(put_letter());
  session->neighbour_lost(LeaveReason::kLink);
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  expect_nothing_stands();
}

TEST_F(LeaveTest, link_lost_before_it_is_joined) {
  rig.hear(peer.left(1));
  rig.said();
  rig.hear(peer.say(peer.offer(link, 2)));
  session->neighbour_lost(LeaveReason::kLink);
  expect_nothing_stands();
  become_neighbours();
  link.theirs.clear();
  expect_goes_on();
}

// ---- Beginning again ----

class BeginAgainTest : public ProposerTest {};

// The other side forgot its candidate; who only offers has lost nothing.
TEST_F(BeginAgainTest, offered_ring_is_dropped) {
  become_neighbours();
  rig.pass(util::kMillisecond);
  const auto offers = of_kind(rig.said(), Kind::kOffer);
  ASSERT_EQ(offers.size(), 1u);
  const std::uint64_t epoch = proto::decode_offer(body_in(offers[0]))->epoch;
  commit();
  rig.hear(peer.reset(proto::ResetReason::kUnknown));
  EXPECT_TRUE(rig.upper.ended.empty());
  EXPECT_EQ(session->state(), SessionState::kGreeting);
  expect_nothing_stands();
  // Epochs go on from where they were.
  ASSERT_TRUE(peer.read(rig.said()));
  rig.hear(peer.welcome());
  ASSERT_TRUE(session->open());
  become_neighbours();
  rig.pass(util::kMillisecond);
  const auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 1u);
  ASSERT_EQ(of_kind(said, Kind::kOffer).size(), 1u);
  EXPECT_EQ(proto::decode_offer(body_in(of_kind(said, Kind::kOffer)[0]))->epoch, epoch + 1);
}

// Frames may have been taken that are not acknowledged yet.
TEST_F(BeginAgainTest, not_after_a_ring_was_joined) {
  become_neighbours();
  rig.pass(util::kMillisecond);
  offered = *proto::decode_offer(body_in(of_kind(rig.said(), Kind::kOffer).at(0)));
  rig.hear(peer.say(answer()));
  ASSERT_TRUE(session->writes_ring());
  commit();
  rig.hear(peer.reset(proto::ResetReason::kUnknown));
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
}

}  // namespace
}  // namespace xs::stream::test
