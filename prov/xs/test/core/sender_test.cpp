// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/sender.hpp"

#include <gtest/gtest.h>

#include <array>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::Kind;

// An endpoint with a message of 4096 bytes to announce: more than one frame takes.
struct SenderTest : testing::Test {
  SenderTest() { rig.meet(peer); }

  // The id that the newest RTS named.
  std::uint64_t announce() {
    EXPECT_EQ(rig.send(to, message, 0, &message), Status::kOk);
    rig.settle();
    const auto rts = of_kind(rig.said(), Kind::kRts);
    EXPECT_EQ(rts.size(), 1u);
    return rts.empty() ? 0 : proto::decode_rts(body_in(rts[0]))->send_id;
  }
  static proto::Cts bulk_cts(std::uint64_t id) {
    return {.send_id = id,
            .receive_id = 99,
            .bulk_tag = 5,
            .length = 4096,
            .mode = proto::BulkMode::kBulk,
            .attempt = 1,
            .lane = 1};
  }
  void expect_lie() {
    EXPECT_EQ(rig.counters().lies, 1u);
    EXPECT_EQ(rig.session_of(peer), nullptr);
  }
  void expect_outcome(int error) {
    const auto outcome = rig.outcome();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->context, &message);
    EXPECT_EQ(outcome->error, error);
    EXPECT_FALSE(rig.outcome());
  }

  Rig rig;
  Stranger peer{2000};
  PeerAddress to = rig.address_of(peer);
  std::array<std::byte, 4096> message{};
};

TEST_F(SenderTest, small_message_completes_at_once) {
  ASSERT_EQ(rig.send(to, std::span(message).first(10), 0, &message), Status::kOk);
  expect_outcome(0);
  EXPECT_EQ(of_kind(rig.said(), Kind::kEager).size(), 1u);
}

// A user who hears of it may stop making progress: by then the message must need no more.
TEST_F(SenderTest, copied_message_completes_when_it_has_left) {
  rig.inner.held = true;
  ASSERT_EQ(rig.send(to, std::span(message).first(200), 0, &message), Status::kOk);
  rig.settle();
  EXPECT_FALSE(rig.outcome());
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 1u);
  rig.home().ends(*said[0].operation, 0);
  rig.settle();
  expect_outcome(0);
  rig.hear(peer.ack_up_to(2));
  EXPECT_FALSE(rig.outcome());
}

TEST_F(SenderTest, refused_message_completes_when_it_has_left) {
  rig.inner.answer = carrier::Posted::kAgain;
  ASSERT_EQ(rig.send(to, std::span(message).first(10), 0, &message), Status::kOk);
  rig.settle();
  EXPECT_FALSE(rig.outcome());
  rig.inner.answer = carrier::Posted::kOk;
  rig.settle();
  expect_outcome(0);
}

// The inner provider may be slower to say so than the peer.
TEST_F(SenderTest, copied_message_completes_when_it_is_acknowledged) {
  rig.inner.held = true;
  ASSERT_EQ(rig.send(to, std::span(message).first(200), 0, &message), Status::kOk);
  rig.hear(peer.ack_up_to(2));
  expect_outcome(0);
}

TEST_F(SenderTest, message_that_never_left_fails_with_its_session) {
  rig.inner.answer = carrier::Posted::kAgain;
  ASSERT_EQ(rig.send(to, std::span(message).first(10), 0, &message), Status::kOk);
  rig.inner.answer = carrier::Posted::kOk;
  rig.inner.held = true;
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  expect_outcome(ECONNRESET);
}

TEST_F(SenderTest, injected_message_completes_at_once_wherever_it_is) {
  rig.inner.answer = carrier::Posted::kAgain;
  ASSERT_EQ(rig.send(to, std::span(message).first(10), kOpInject, &message), Status::kOk);
  expect_outcome(0);
}

// The acknowledgement can ride on what the peer says next; a peer that says nothing must not keep
// the sender waiting.
TEST_F(SenderTest, message_in_place_is_copied_if_no_acknowledgement_comes) {
  message.fill(std::byte{7});
  ASSERT_EQ(rig.send(to, std::span(message).first(1000), 0, &message), Status::kOk);
  rig.settle();
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(prefix_of(said[0]).flags & (proto::kAckNow | proto::kAckSoon), proto::kAckSoon);
  EXPECT_FALSE(rig.outcome());
  for (int i = 0; i < 2000; ++i) rig.settle();
  expect_outcome(0);
  // What is sent again is what was sent first.
  message.fill(std::byte{9});
  rig.hear(peer.frame(Kind::kAck, 0, {}, proto::kGap));
  const auto again = of_kind(rig.said(), Kind::kEager);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].bytes.back(), std::byte{7});
  rig.hear(peer.ack_up_to(2));
  EXPECT_FALSE(rig.outcome());
}

TEST_F(SenderTest, message_in_place_completes_in_time_beside_other_traffic) {
  ASSERT_EQ(rig.send(to, std::span(message).first(1000), 0, &message), Status::kOk);
  rig.settle();
  rig.said();
  rig.clock.time += util::kMillisecond;
  rig.hear(peer.frame(Kind::kAck, 0));
  expect_outcome(0);
}

// A copy would touch memory that the inner provider still reads, and tell of it too early.
TEST_F(SenderTest, message_in_place_is_not_copied_before_it_has_left) {
  rig.inner.held = true;
  ASSERT_EQ(rig.send(to, std::span(message).first(1000), 0, &message), Status::kOk);
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 1u);
  for (int i = 0; i < 50; ++i) rig.pass(util::kMillisecond);
  EXPECT_FALSE(rig.outcome());
  rig.home().ends(*said[0].operation, 0);
  rig.pass(util::kMillisecond);
  expect_outcome(0);
}

TEST_F(SenderTest, empty_messages_are_announced_if_the_peer_wants_it) {
  rig.hear(peer.frame(Kind::kAck, 0, {}, proto::kRtsOnly));
  ASSERT_EQ(rig.send(to, {}, 0, &message), Status::kOk);
  rig.settle();
  EXPECT_FALSE(rig.outcome());
  const auto said = rig.said();
  EXPECT_TRUE(of_kind(said, Kind::kEager).empty());
  EXPECT_EQ(of_kind(said, Kind::kRts).size(), 1u);
}

// The lane to be retired is the one that holds the frame now, not the one that it first went by.
TEST_F(SenderTest, frame_of_a_dead_session_is_freed_on_the_lane_that_has_it) {
  rig.inner.held = true;
  ASSERT_EQ(rig.send(to, std::span(message).first(1000), 0, &message), Status::kOk);
  rig.settle();
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 1u);
  // Its connection breaks, and nothing goes out until the session has left home.
  rig.inner.answer = carrier::Posted::kAgain;
  rig.home().ends(*said[0].operation, ECANCELED);
  for (int i = 0; i < 1000 && rig.inner.endpoints.size() == 1; ++i) rig.pass(rig.config.quiet);
  ASSERT_EQ(rig.inner.endpoints.size(), 2u);
  rig.inner.answer = carrier::Posted::kOk;
  for (int i = 0; i < 3; ++i) rig.pass(rig.config.quiet);
  ASSERT_EQ(of_kind(rig.said(), Kind::kEager).size(), 1u);
  const ScriptedEndpoint* home = rig.inner.endpoints[0];
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  EXPECT_FALSE(rig.outcome());
  for (int i = 0; i < 5; ++i) rig.pass(rig.config.quiet);
  expect_outcome(ECONNRESET);
  EXPECT_EQ(rig.inner.endpoints[0], home);
  EXPECT_EQ(rig.inner.endpoints[1], nullptr);
}

TEST_F(SenderTest, delivery_complete_waits_for_the_acknowledgement) {
  ASSERT_EQ(rig.send(to, std::span(message).first(10), kOpDeliveryComplete, &message), Status::kOk);
  rig.settle();
  EXPECT_FALSE(rig.outcome());
  rig.hear(peer.ack_up_to(2));
  expect_outcome(0);
}

TEST_F(SenderTest, unacknowledged_send_fails_with_its_session) {
  ASSERT_EQ(rig.send(to, std::span(message).first(10), kOpDeliveryComplete, &message), Status::kOk);
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  expect_outcome(ECONNRESET);
}

TEST_F(SenderTest, bulk_ends_with_fin) {
  const std::uint64_t id = announce();
  rig.hear(peer.next(Kind::kCts, body_of(bulk_cts(id))));
  const auto said = rig.said();
  ASSERT_FALSE(said.empty());
  EXPECT_TRUE(said[0].tagged);
  EXPECT_EQ(said[0].bytes.size(), 4096u);
  EXPECT_EQ(of_kind(said, Kind::kSent).size(), 1u);
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  expect_outcome(0);
}

TEST_F(SenderTest, bulk_that_the_inner_provider_has_does_not_end) {
  const std::uint64_t id = announce();
  rig.inner.held = true;
  rig.hear(peer.next(Kind::kCts, body_of(bulk_cts(id))));
  const auto said = rig.said();
  ASSERT_FALSE(said.empty());
  ASSERT_TRUE(said[0].tagged);
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  EXPECT_FALSE(rig.outcome());
  rig.inner.endpoints[0]->ends(*said[0].operation, 0);
  rig.settle();
  expect_outcome(0);
}

TEST_F(SenderTest, streamed_payload_is_kept_until_acknowledged) {
  const std::uint64_t id = announce();
  proto::Cts cts = bulk_cts(id);
  cts.mode = proto::BulkMode::kStream;
  rig.hear(peer.next(Kind::kCts, body_of(cts)));
  EXPECT_EQ(of_kind(rig.said(), Kind::kData).size(), 4u);
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  EXPECT_FALSE(rig.outcome());
  rig.hear(peer.ack_up_to(6));
  expect_outcome(0);
}

TEST_F(SenderTest, fin_names_the_error) {
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{announce(), ENOMEM})));
  expect_outcome(ENOMEM);
}

TEST_F(SenderTest, window_holds_messages_back_in_order) {
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(rig.send(to, std::span(message).first(10), 0, &message, 100 + i), Status::kOk);
  EXPECT_EQ(of_kind(rig.said(), Kind::kEager).size(), 8u);
  rig.hear(peer.ack_up_to(9));
  const auto rest = of_kind(rig.said(), Kind::kEager);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(proto::decode_envelope(body_in(rest[0]))->tag, 108u);
}

// ---- What only a liar says ----

TEST_F(SenderTest, cts_for_an_unknown_id_is_a_lie) {
  rig.hear(peer.next(Kind::kCts, body_of(bulk_cts(announce() + 1))));
  expect_lie();
  expect_outcome(EPROTO);
}

TEST_F(SenderTest, cts_longer_than_the_message_is_a_lie) {
  proto::Cts cts = bulk_cts(announce());
  cts.length = 4097;
  rig.hear(peer.next(Kind::kCts, body_of(cts)));
  expect_lie();
}

TEST_F(SenderTest, cts_of_an_older_attempt_is_a_lie) {
  proto::Cts cts = bulk_cts(announce());
  cts.attempt = 0;
  rig.hear(peer.next(Kind::kCts, body_of(cts)));
  expect_lie();
}

TEST_F(SenderTest, cts_before_sent_is_a_lie) {
  rig.inner.held = true;
  proto::Cts cts = bulk_cts(announce());
  rig.hear(peer.next(Kind::kCts, body_of(cts)));
  const auto said = rig.said();
  ASSERT_EQ(said.size(), 1u);
  ASSERT_TRUE(said[0].tagged);
  cts.attempt = 2;
  rig.hear(peer.next(Kind::kCts, body_of(cts)));
  expect_lie();
  EXPECT_FALSE(rig.outcome()) << "the inner provider still has the buffer";
  rig.home().ends(*said[0].operation, 0);
  rig.settle();
  expect_outcome(EPROTO);
}

TEST_F(SenderTest, fin_for_an_unknown_id_is_a_lie) {
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{12345, 0})));
  expect_lie();
}

TEST_F(SenderTest, second_fin_is_a_lie) {
  const std::uint64_t id = announce();
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  expect_lie();
  expect_outcome(0);
}

TEST_F(SenderTest, a_peer_cannot_end_the_sends_to_another) {
  Stranger other{2001, 0x6161};
  rig.meet(other);
  const std::uint64_t id = announce();
  rig.hear(other.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  EXPECT_EQ(rig.session_of(other), nullptr);
  EXPECT_NE(rig.session_of(peer), nullptr);
  EXPECT_FALSE(rig.outcome());
}

// ---- When its session is over ----

// FIN came, then the session ended, and only then does the inner provider let go of the buffer.
TEST_F(SenderTest, sent_is_not_said_to_the_next_session) {
  rig.inner.held = true;
  const std::uint64_t id = announce();
  rig.hear(peer.next(Kind::kCts, body_of(bulk_cts(id))));
  const auto said = rig.said();
  ASSERT_TRUE(said.at(0).tagged);
  rig.hear(peer.next(Kind::kFin, body_of(proto::Fin{id, 0})));
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  ASSERT_EQ(rig.session_of(peer), nullptr);
  Stranger again{2000, 0x7171};
  rig.meet(again);
  rig.home().ends(*said[0].operation, 0);
  rig.settle();
  expect_outcome(0);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kSent).empty());
}

TEST_F(SenderTest, what_crosses_our_goodbye_does_not_delay_it) {
  for (const auto mode : {proto::BulkMode::kBulk, proto::BulkMode::kStream}) {
    Rig parting;
    Stranger other{2001};
    parting.meet(other);
    ASSERT_EQ(parting.send(parting.address_of(other), message, 0, &message), Status::kOk);
    const auto rts = of_kind(parting.said(), Kind::kRts);
    parting.endpoint->part();
    EXPECT_FALSE(parting.endpoint->parted());
    proto::Cts cts = bulk_cts(proto::decode_rts(body_in(rts.at(0)))->send_id);
    cts.mode = mode;
    parting.hear(other.next(Kind::kCts, body_of(cts)));
    parting.hear(other.ack_up_to(3));
    EXPECT_TRUE(parting.endpoint->parted());
    EXPECT_EQ(parting.counters().lies, 0u);
  }
}

// ---- Taken back ----

// Nobody would hear that it came to nothing, and its context is everybody's: none.
TEST_F(SenderTest, injected_send_is_not_cancelled) {
  rig.inner.answer = carrier::Posted::kAgain;
  Stranger other{2001, 0x6161};
  const PeerAddress there = rig.address_of(other);
  const struct iovec iov { message.data(), 10 };
  ASSERT_EQ(rig.endpoint->send({.iov = std::span(&iov, 1),
                                .to = there,
                                .tag = 1,
                                .data = 0,
                                .flags = kOpTagged | kOpInject | kOpUnheard,
                                .context = nullptr}),
            Status::kOk);
  EXPECT_EQ(rig.endpoint->cancel(nullptr), Status::kNoMessage);
}

TEST_F(SenderTest, cancelled_send_leaves_no_id_behind) {
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(rig.send(to, std::span(message).first(10), 0, &rig), Status::kOk);
  while (rig.outcome()) {
  }
  ASSERT_EQ(rig.send(to, message, 0, &message), Status::kOk);  // gets an id, but no room
  ASSERT_EQ(rig.endpoint->cancel(&message), Status::kOk);
  expect_outcome(ECANCELED);
  rig.said();
  rig.hear(peer.ack_up_to(9));
  const std::uint64_t id = announce();
  EXPECT_EQ(id >> 32, 2u) << "the place is used again, under another number";
}

}  // namespace
}  // namespace xs::core::test
