// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/receiver.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::BulkMode;
using proto::Kind;

struct ReceiverTest : testing::Test {
  ReceiverTest() { rig.meet(peer); }

  Frame letter(std::uint64_t tag, const char* characters) {
    return peer.next(Kind::kEager, eager(tag, text(characters)), proto::kTagged);
  }
  Frame rts(std::uint64_t tag, std::uint64_t length) {
    return peer.next(Kind::kRts, body_of(proto::Rts{{tag, 0}, length, kSendId}), proto::kTagged);
  }
  // A receive of the whole room is matched by an announcement as long; the CTS that follows.
  proto::Cts ask() {
    EXPECT_EQ(rig.receive(room, 1, &room), Status::kOk);
    rig.hear(rts(1, room.size()));
    const auto said = of_kind(rig.said(), Kind::kCts);
    EXPECT_EQ(said.size(), 1u);
    return said.empty() ? proto::Cts{} : *proto::decode_cts(body_in(said[0]));
  }
  proto::Cts ask_stream() {
    rig.inner.tagged_answer = carrier::Posted::kFailed;
    const proto::Cts cts = ask();
    EXPECT_EQ(cts.mode, BulkMode::kStream);
    return cts;
  }
  Frame sent(const proto::Cts& cts, std::uint32_t status) {
    return peer.next(Kind::kSent, body_of(proto::Sent{cts.receive_id, cts.attempt, status}));
  }
  void expect_lie() {
    EXPECT_EQ(rig.counters().lies, 1u);
    EXPECT_EQ(rig.session_of(peer), nullptr);
  }
  void expect_outcome(int error, std::size_t length = 0) {
    const auto outcome = rig.outcome();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->context, &room);
    EXPECT_EQ(outcome->error, error);
    EXPECT_EQ(outcome->length, length);
    EXPECT_FALSE(rig.outcome());
  }

  static constexpr std::uint64_t kSendId = 77;
  Rig rig;
  Stranger peer{2000};
  std::array<std::byte, 4096> room{};
  Frame payload = Frame(4096, std::byte{42});
};

TEST_F(ReceiverTest, posted_receive_takes_the_message) {
  ASSERT_EQ(rig.receive(room, 1, &room), Status::kOk);
  rig.hear(letter(1, "hello"));
  expect_outcome(0, 5);
  EXPECT_EQ(std::memcmp(room.data(), "hello", 5), 0);
}

TEST_F(ReceiverTest, early_message_waits) {
  rig.hear(letter(1, "hello"));
  EXPECT_EQ(rig.endpoint->receiver().unexpected_bytes(), 5 + sizeof(Unexpected));
  ASSERT_EQ(rig.receive(room, 1, &room), Status::kOk);
  expect_outcome(0, 5);
  EXPECT_EQ(rig.endpoint->receiver().unexpected_bytes(), 0u);
}

// In the pass after it, an answer of ours may carry the acknowledgement.
TEST(AckSoonTest, waits_for_a_pass_that_finds_nothing) {
  Config config = rig_config();
  config.window = 64;
  Rig rig(config);
  Stranger peer{2000};
  rig.meet(peer);
  const auto acks_after_a_pass = [&] {
    rig.endpoint->progress();
    return of_kind(rig.said(), Kind::kAck).size();
  };
  const auto arrives = [&] {
    rig.home().arrives(peer.next(Kind::kEager, eager(1, text("hello")), proto::kAckSoon));
  };
  arrives();
  EXPECT_EQ(acks_after_a_pass(), 0u);
  EXPECT_EQ(acks_after_a_pass(), 1u);
  EXPECT_EQ(acks_after_a_pass(), 0u);
  // But many do not wait for each other.
  for (int i = 0; i < 3; ++i) {
    arrives();
    EXPECT_EQ(acks_after_a_pass(), 0u);
  }
  arrives();
  EXPECT_EQ(acks_after_a_pass(), 1u);
}

TEST_F(ReceiverTest, message_that_does_not_fit_is_truncated) {
  ASSERT_EQ(rig.receive(std::span(room).first(2), 1, &room), Status::kOk);
  rig.hear(letter(1, "hello"));
  expect_outcome(FI_ETRUNC, 2);
}

TEST_F(ReceiverTest, early_message_outlives_its_peer) {
  rig.hear(letter(1, "hello"));
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  ASSERT_EQ(rig.receive(room, 1, &room), Status::kOk);
  expect_outcome(0, 5);
}

TEST_F(ReceiverTest, early_announcement_ends_with_its_peer) {
  rig.hear(rts(1, 4096));
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  ASSERT_EQ(rig.receive(room, 1, &room), Status::kOk);
  expect_outcome(ECONNRESET);
}

TEST_F(ReceiverTest, posted_receive_outlives_a_peer) {
  ASSERT_EQ(rig.receive(room, 1, &room), Status::kOk);
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  EXPECT_FALSE(rig.outcome());
  EXPECT_EQ(rig.endpoint->receiver().posted(), 1u);
}

// ---- Rendezvous ----

TEST_F(ReceiverTest, bulk_stands_before_its_cts) {
  const proto::Cts cts = ask();
  EXPECT_EQ(cts.mode, BulkMode::kBulk);
  EXPECT_EQ(cts.send_id, kSendId);
  EXPECT_EQ(cts.length, 4096u);
  ASSERT_TRUE(rig.home().arrives(cts.bulk_tag, payload));
  rig.settle();
  expect_outcome(0, 4096);
  const auto fin = of_kind(rig.said(), Kind::kFin);
  ASSERT_EQ(fin.size(), 1u);
  EXPECT_EQ(proto::decode_fin(body_in(fin[0]))->status, 0u);
  rig.hear(sent(cts, 0));
  EXPECT_NE(rig.session_of(peer), nullptr);
}

TEST_F(ReceiverTest, failed_bulk_is_streamed) {
  const proto::Cts first = ask();
  rig.hear(sent(first, EIO));
  const auto said = of_kind(rig.said(), Kind::kCts);
  ASSERT_EQ(said.size(), 1u);
  const auto second = proto::decode_cts(body_in(said[0]));
  EXPECT_EQ(second->mode, BulkMode::kStream);
  EXPECT_EQ(second->attempt, 2u);
  EXPECT_EQ(rig.home().tagged_receives(), 1u) << "the given-up tag keeps a sink";
  for (std::size_t at = 0; at < 4096; at += 1024)
    rig.hear(peer.next(Kind::kData,
                       data(second->receive_id, at, {payload.begin(), payload.begin() + 1024})));
  expect_outcome(0, 4096);
  EXPECT_EQ(room.back(), std::byte{42});
}

TEST_F(ReceiverTest, sent_without_the_bytes_is_waited_for_a_while) {
  const proto::Cts cts = ask();
  rig.hear(sent(cts, 0));
  EXPECT_TRUE(of_kind(rig.said(), Kind::kCts).empty());
  rig.pass(rig.config.quiet);
  EXPECT_EQ(of_kind(rig.said(), Kind::kCts).size(), 1u);
}

TEST_F(ReceiverTest, goodbye_ends_a_rendezvous_when_its_memory_is_free) {
  ask();
  rig.hear(peer.next(Kind::kGoodbye));
  expect_outcome(ECONNRESET);
}

// What it ended needs the peer no more: nobody asks for it.
TEST_F(ReceiverTest, goodbye_ends_the_wait_for_a_payload) {
  ask_stream();
  rig.hear(peer.ack_up_to(2));
  rig.hear(peer.next(Kind::kGoodbye));
  rig.said();
  for (int i = 0; i < 10; ++i) rig.pass(rig.config.quiet);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kPing).empty());
}

TEST_F(ReceiverTest, discarded_announcement_is_told_so) {
  rig.hear(rts(1, 4096));
  ASSERT_EQ(rig.receive({}, 1, &room, kOpPeek | kOpDiscard), Status::kOk);
  rig.settle();
  EXPECT_EQ(of_kind(rig.said(), Kind::kFin).size(), 1u);
}

// ---- What only a liar says ----

TEST_F(ReceiverTest, data_for_an_unknown_id_is_a_lie) {
  rig.hear(peer.next(Kind::kData, data(12345, 0, text("x"))));
  expect_lie();
}

TEST_F(ReceiverTest, data_while_bulk_is_asked_for_is_a_lie) {
  const proto::Cts cts = ask();
  rig.hear(peer.next(Kind::kData, data(cts.receive_id, 0, text("x"))));
  expect_lie();
  expect_outcome(EPROTO);
}

TEST_F(ReceiverTest, data_at_another_offset_is_a_lie) {
  const proto::Cts cts = ask_stream();
  rig.hear(peer.next(Kind::kData, data(cts.receive_id, 1, text("x"))));
  expect_lie();
  expect_outcome(EPROTO);
}

TEST_F(ReceiverTest, data_beyond_the_end_of_offsets_is_a_lie) {
  const proto::Cts cts = ask_stream();
  rig.hear(peer.next(Kind::kData, data(cts.receive_id, ~0ull, text("x"))));
  expect_lie();
}

TEST_F(ReceiverTest, more_data_than_was_granted_is_a_lie) {
  const proto::Cts cts = ask_stream();
  for (std::size_t at = 0; at < 4000; at += 1000)
    rig.hear(peer.next(Kind::kData, data(cts.receive_id, at, Frame(1000))));
  EXPECT_EQ(rig.counters().lies, 0u);
  rig.hear(peer.next(Kind::kData, data(cts.receive_id, 4000, Frame(97))));
  expect_lie();
}

TEST_F(ReceiverTest, sent_for_an_unknown_id_is_a_lie) {
  rig.hear(peer.next(Kind::kSent, body_of(proto::Sent{12345, 1, 0})));
  expect_lie();
}

TEST_F(ReceiverTest, sent_of_another_attempt_is_a_lie) {
  proto::Cts cts = ask();
  ++cts.attempt;
  rig.hear(sent(cts, 0));
  expect_lie();
}

TEST_F(ReceiverTest, second_sent_is_a_lie) {
  const proto::Cts cts = ask();
  rig.hear(sent(cts, 0));
  rig.hear(sent(cts, 0));
  expect_lie();
}

TEST_F(ReceiverTest, bulk_message_of_another_length_is_a_lie) {
  const proto::Cts cts = ask();
  ASSERT_TRUE(rig.home().arrives(cts.bulk_tag, text("short")));
  rig.settle();
  EXPECT_EQ(rig.session_of(peer), nullptr);
  expect_outcome(EPROTO);
}

TEST_F(ReceiverTest, a_liar_ends_alone) {
  Stranger other{2001, 0x6161};
  rig.meet(other);
  ASSERT_EQ(rig.receive(room, 1, &room), Status::kOk);
  rig.hear(peer.next(Kind::kData, data(12345, 0, text("x"))));
  expect_lie();
  rig.hear(other.next(Kind::kEager, eager(1, text("fine")), proto::kTagged));
  expect_outcome(0, 4);
}

}  // namespace
}  // namespace xs::core::test
