// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One open session: order, acknowledgement, replay, parting.
#include "stream/session.hpp"

#include <gtest/gtest.h>

#include "stream/stream_rig.hpp"

namespace xs::stream::test {
namespace {

using proto::Kind;

struct SessionTest : testing::Test {
  SessionTest() : session(rig.meet(peer)) { session.owner = &rig; }

  void commit(std::uint64_t cookie = 0) {
    FrameBuffer* frame = session.claim(Kind::kEager, proto::kEnvelopeSize);
    ASSERT_NE(frame, nullptr);
    proto::encode(proto::Envelope{1, 0}, frame->body());
    session.commit(*frame, 0, cookie);
  }
  // A frame that refers to user memory, and that the inner provider keeps.
  Handed commit_held(std::uint64_t cookie) {
    rig.inner.held = true;
    FrameBuffer* frame = session.claim(Kind::kData, proto::DataHead::kSize);
    proto::encode(proto::DataHead{1, 0}, frame->body());
    frame->tail = memory;
    frame->tail_size = sizeof memory;
    session.commit(*frame, 0, cookie);
    return rig.said().at(0);
  }
  std::vector<std::uint64_t> numbers_said() {
    std::vector<std::uint64_t> numbers;
    for (const Handed& each : of_kind(rig.said(), Kind::kEager))
      numbers.push_back(prefix_of(each).seq);
    return numbers;
  }
  void expect_lie() {
    EXPECT_EQ(rig.streams->counters().lies, 1u);
    EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTO});
    EXPECT_EQ(rig.sessions(), 0u);
  }
  Frame letter() { return peer.next(Kind::kEager, eager(1, text("x"))); }

  StreamRig rig;
  Stranger peer{2000};
  Session& session;
  char memory[8] = "payload";
  using Numbers = std::vector<std::uint64_t>;
};

TEST_F(SessionTest, takes_each_frame_once) {
  const Frame first = letter();
  rig.hear(first);
  rig.hear(first);
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  EXPECT_EQ(session.counters().duplicates, 1u);
}

TEST_F(SessionTest, frame_ahead_is_dropped_and_reported) {
  ++peer.seq;
  rig.hear(letter());
  EXPECT_TRUE(rig.upper.frames.empty());
  const auto acks = of_kind(rig.said(), Kind::kAck);
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(prefix_of(acks[0]).flags & proto::kGap, proto::kGap);
  EXPECT_EQ(prefix_of(acks[0]).ack, 1u);
}

TEST_F(SessionTest, gap_is_answered_from_there) {
  for (int i = 0; i < 3; ++i) commit();
  EXPECT_EQ(numbers_said(), (Numbers{1, 2, 3}));
  peer.ack = 2;
  rig.hear(peer.frame(Kind::kAck, 0, {}, proto::kGap));
  EXPECT_EQ(numbers_said(), (Numbers{2, 3}));
}

TEST_F(SessionTest, window_bounds_what_is_unacknowledged) {
  for (int i = 0; i < 8; ++i) commit();
  EXPECT_EQ(session.claim(Kind::kEager, proto::kEnvelopeSize), nullptr);
  EXPECT_EQ(rig.upper.windows, 0u);
  rig.hear(peer.ack_up_to(2));
  EXPECT_EQ(rig.upper.windows, 1u);
}

TEST_F(SessionTest, acknowledged_frame_is_released) {
  commit(5);
  rig.settle();
  rig.hear(peer.ack_up_to(2));
  EXPECT_EQ(rig.upper.released, (std::vector<Scribe::Released>{{5, 0}}));
}

// ---- Silence ----

class SilenceTest : public SessionTest {
 protected:
  SilenceTest() { rig.inner.probe_finds = carrier::ProbeState::kSilent; }
  // So many seconds without a word.
  void pass_seconds(unsigned seconds) {
    for (unsigned i = 0; i < 20 * seconds; ++i) rig.pass(util::kSecond / 20);
  }
};

TEST_F(SilenceTest, convicts_a_peer) {
  commit();
  pass_seconds(4);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EHOSTUNREACH});
}

TEST_F(SilenceTest, of_a_paused_peer_is_excused) {
  session.set_peer_paused(true);
  commit();
  pass_seconds(15);
  EXPECT_TRUE(rig.upper.ended.empty());
  pass_seconds(15);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EHOSTUNREACH}) << "not for ever";
}

TEST_F(SilenceTest, counts_again_when_the_pause_is_over) {
  session.set_peer_paused(true);
  session.set_peer_paused(false);
  commit();
  pass_seconds(4);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EHOSTUNREACH});
}

TEST_F(SilenceTest, refusals_of_a_paused_peer_count) {
  session.set_peer_paused(true);
  rig.inner.probe_finds = carrier::ProbeState::kRefused;
  commit();
  pass_seconds(4);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
}

// Both were saved: the peer may be told of, and not come back, later than we are.
TEST_F(SilenceTest, is_excused_until_the_peer_is_heard) {
  session.excuse_silence();
  commit();
  pass_seconds(15);
  EXPECT_TRUE(rig.upper.ended.empty());
  rig.hear(peer.ack_up_to(1));
  pass_seconds(19);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EHOSTUNREACH});
}

TEST_F(SessionTest, user_memory_is_released_when_the_inner_provider_lets_go_too) {
  const Handed held = commit_held(5);
  rig.hear(peer.ack_up_to(2));
  EXPECT_TRUE(rig.upper.released.empty());
  rig.inner.endpoints[0]->ends(*held.operation, 0);
  rig.settle();
  EXPECT_EQ(rig.upper.released.size(), 1u);
}

// The frame has arrived another way, and the connection that has it is dead without knowing it.
TEST_F(SessionTest, lane_that_keeps_user_memory_is_closed) {
  commit_held(5);
  rig.hear(peer.ack_up_to(2));
  rig.pass(49 * kQuiet);
  EXPECT_TRUE(rig.upper.released.empty()) << "it may be finishing";
  EXPECT_LE(rig.streams->due(), rig.clock.time + kQuiet) << "who sleeps wakes for it";
  rig.pass(kQuiet);
  EXPECT_EQ(rig.upper.released, (std::vector<Scribe::Released>{{5, 0}}));
  EXPECT_TRUE(session.open());
}

TEST_F(SessionTest, lane_that_keeps_user_memory_of_a_dead_session_is_closed) {
  commit_held(5);
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  ASSERT_EQ(rig.sessions(), 0u);
  EXPECT_TRUE(rig.upper.released.empty());
  rig.pass(2 * kQuiet);
  EXPECT_EQ(rig.upper.released, (std::vector<Scribe::Released>{{5, ECONNRESET}}));
}

// The session is buried while the inner provider still has its frame.
TEST_F(SessionTest, frame_outlives_its_session) {
  const Handed held = commit_held(5);
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  ASSERT_EQ(rig.sessions(), 0u);
  EXPECT_TRUE(rig.upper.released.empty());
  rig.inner.endpoints[0]->ends(*held.operation, ECANCELED);
  rig.settle();
  ASSERT_EQ(rig.upper.released.size(), 1u);
  EXPECT_EQ(rig.upper.released[0].cookie, 5u);
  EXPECT_NE(rig.upper.released[0].error, 0);
}

TEST_F(SessionTest, failed_send_is_posted_again) {
  rig.inner.held = true;
  rig.inner.inject_bytes = 0;
  commit();
  const auto said = rig.said();
  rig.inner.endpoints[0]->ends(*said.at(0).operation, ECONNRESET);
  rig.settle();
  rig.pass(10 * util::kMillisecond);
  EXPECT_EQ(numbers_said(), Numbers{1});
}

TEST_F(SessionTest, quiet_brings_a_ping_and_its_echo_a_replay) {
  commit();
  rig.said();
  rig.pass(kQuiet);
  const auto pings = of_kind(rig.said(), Kind::kPing);
  ASSERT_EQ(pings.size(), 1u);
  EXPECT_EQ(prefix_of(pings[0]).seq, 2u);
  rig.hear(peer.frame(Kind::kAck, 2));
  EXPECT_EQ(numbers_said(), Numbers{1});
}

// Its own way to us is well: it asks again and again, and we answer over one that is dead.
TEST_F(SessionTest, peer_that_only_asks_is_answered_another_way) {
  rig.inner.held = true;
  rig.inner.inject_bytes = 0;
  commit();
  for (unsigned i = 0; i < 40 && rig.inner.endpoints.size() == 1; ++i) {
    rig.pass(kQuiet);
    rig.hear(peer.ping(1));
  }
  EXPECT_EQ(rig.inner.endpoints.size(), 2u);
}

// On that lane: another one may lead there.
TEST_F(SessionTest, ping_that_has_not_left_is_not_repeated) {
  rig.inner.held = true;
  rig.inner.inject_bytes = 0;
  commit();
  for (int i = 0; i < 8; ++i) rig.pass(kQuiet);
  EXPECT_EQ(of_kind(rig.said(), Kind::kPing).size(), 1u);
}

TEST_F(SessionTest, ping_is_answered) {
  rig.hear(peer.ping(1));
  const auto acks = of_kind(rig.said(), Kind::kAck);
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(prefix_of(acks[0]).seq, 1u);
}

// What leaves in the same pass carries the acknowledgement, but not the answer.
TEST_F(SessionTest, ping_is_answered_though_a_frame_leaves) {
  rig.upper.on_frame = [this](Session&) { commit(); };
  rig.inner.endpoints[0]->arrives(peer.ping(1));
  rig.hear(letter());
  const auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 1u);
  const auto acks = of_kind(said, Kind::kAck);
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(prefix_of(acks[0]).seq, 1u);
}

TEST_F(SessionTest, closes_when_both_have_parted) {
  session.say_goodbye();
  rig.settle();
  rig.hear(peer.ack_up_to(2));
  EXPECT_TRUE(session.open());
  rig.hear(peer.next(Kind::kGoodbye));
  EXPECT_EQ(session.state(), SessionState::kClosed);
  rig.said();
  rig.hear(peer.ping(2));
  EXPECT_EQ(of_kind(rig.said(), Kind::kAck).size(), 1u) << "PING is answered for ever";
}

TEST_F(SessionTest, nothing_is_sent_after_goodbye) {
  session.say_goodbye();
  EXPECT_EQ(session.claim(Kind::kEager, proto::kEnvelopeSize), nullptr);
}

// ---- Lies ----

TEST_F(SessionTest, acknowledging_what_was_never_sent_is_a_lie) {
  commit();
  rig.hear(peer.ack_up_to(3));
  expect_lie();
}

TEST_F(SessionTest, old_acknowledgement_is_no_lie) {
  commit();
  rig.hear(peer.ack_up_to(2));
  rig.hear(peer.ack_up_to(1));
  EXPECT_TRUE(session.open());
}

TEST_F(SessionTest, frame_after_goodbye_is_a_lie) {
  rig.hear(peer.next(Kind::kGoodbye));
  rig.hear(letter());
  expect_lie();
}

TEST_F(SessionTest, second_goodbye_is_a_lie) {
  rig.hear(peer.next(Kind::kGoodbye));
  rig.hear(peer.next(Kind::kGoodbye));
  expect_lie();
}

TEST_F(SessionTest, repeated_goodbye_is_a_duplicate) {
  const Frame goodbye = peer.next(Kind::kGoodbye);
  rig.hear(goodbye);
  rig.hear(goodbye);
  EXPECT_TRUE(session.open());
}

TEST_F(SessionTest, ping_of_another_life_is_not_answered) {
  peer.life = {9, 9};
  rig.hear(peer.ping(1));
  EXPECT_TRUE(of_kind(rig.said(), Kind::kAck).empty());
  EXPECT_TRUE(session.open());
}

// ---- Death ----

TEST_F(SessionTest, three_refused_probes_are_death) {
  rig.inner.probe_finds = carrier::ProbeState::kRefused;
  commit(5);
  for (int i = 0; i < 40 && rig.sessions() > 0; ++i) rig.pass(kQuiet);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
  EXPECT_EQ(rig.streams->counters().dead, 1u);
  EXPECT_GE(rig.inner.probes, 3u);
}

TEST_F(SessionTest, silence_is_no_death) {
  commit(5);
  for (int i = 0; i < 1000; ++i) rig.pass(kQuiet);
  EXPECT_TRUE(session.open());
  EXPECT_TRUE(rig.upper.ended.empty());
}

}  // namespace
}  // namespace xs::stream::test
