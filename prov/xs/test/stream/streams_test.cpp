// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who is taken for a peer: greetings, tokens, and everything forged about them.
#include "stream/streams.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "stream/stream_rig.hpp"

namespace xs::stream::test {
namespace {

using proto::Kind;
using proto::RefuseReason;

proto::RefuseReason refusal(const std::vector<Handed>& said) {
  const auto refuse = of_kind(said, Kind::kRefuse);
  if (refuse.size() != 1) return {};
  return proto::decode_refuse(body_in(refuse[0]))->reason;
}

struct StreamsTest : testing::Test {
  // What our HELLO to the stranger says; nothing but it goes out.
  Session& greet() {
    Session* session = rig.streams->greet(stranger.home);
    rig.settle();
    EXPECT_TRUE(stranger.read(rig.said()));
    return *session;
  }
  void refuse(const proto::Greeting& greeting, RefuseReason reason) {
    rig.hear(Stranger::greet(Kind::kHello, greeting, 0));
    EXPECT_EQ(refusal(rig.said()), reason);
    EXPECT_EQ(rig.streams->counters().refused, 1u);
    EXPECT_EQ(rig.sessions(), 0u);
  }

  StreamRig rig;
  Stranger stranger{2000};
};

// ---- Greetings ----

TEST_F(StreamsTest, hello_proves_nothing) {
  rig.hear(stranger.hello());
  EXPECT_EQ(of_kind(rig.said(), Kind::kWelcome).size(), 1u);
  EXPECT_TRUE(rig.upper.opened.empty());
}

TEST_F(StreamsTest, candidate_opens_by_a_frame_under_its_token) {
  Session& session = rig.meet(stranger);
  EXPECT_TRUE(session.open());
  EXPECT_EQ(rig.upper.opened.size(), 1u);
}

TEST_F(StreamsTest, greeting_opens_by_welcome) {
  Session& session = greet();
  rig.hear(stranger.welcome());
  EXPECT_TRUE(session.open());
}

// The port was nobody's while we tried to greet; whoever has it now has done nothing wrong.
TEST_F(StreamsTest, refusals_before_the_peer_was_there_convict_nobody) {
  rig.inner.answer = carrier::Posted::kAgain;
  rig.inner.probe_finds = carrier::ProbeState::kRefused;
  rig.streams->greet(stranger.home);
  for (int i = 0; i < 6; ++i) rig.pass(kQuiet);
  EXPECT_GE(rig.inner.probes, 3u);
  rig.inner.answer = carrier::Posted::kOk;
  Session& session = rig.meet(stranger);
  session.owner = &rig;
  FrameBuffer* frame = session.claim(Kind::kEager, proto::kEnvelopeSize);
  ASSERT_NE(frame, nullptr);
  session.commit(*frame, 0, 0);
  const unsigned before = rig.inner.probes;
  for (int i = 0; i < 20 && rig.inner.probes == before; ++i) rig.pass(kQuiet);
  EXPECT_EQ(rig.inner.probes, before + 1);
  EXPECT_TRUE(session.open());
  EXPECT_TRUE(rig.upper.ended.empty());
}

TEST_F(StreamsTest, welcome_with_another_nonce_reaches_nobody) {
  Session& session = greet();
  ++stranger.far_nonce;
  rig.hear(stranger.welcome());
  EXPECT_EQ(session.state(), SessionState::kGreeting);
  EXPECT_EQ(rig.streams->counters().unknown, 1u);
}

TEST_F(StreamsTest, welcome_for_an_earlier_life_is_ignored) {
  Session& session = greet();
  proto::Greeting g = stranger.greeting();
  g.addressee = {1, 1};
  rig.hear(Stranger::greet(Kind::kWelcome, g, stranger.far_nonce));
  EXPECT_EQ(session.state(), SessionState::kGreeting);
}

TEST_F(StreamsTest, late_welcome_moves_no_open_session) {
  Session& session = rig.meet(stranger);
  proto::Greeting g = stranger.greeting();
  g.token = 0x9999;
  g.sender = {8, 8};
  rig.hear(Stranger::greet(Kind::kWelcome, g, stranger.token()));
  EXPECT_TRUE(session.open());
  EXPECT_EQ(session.peer(), stranger.life);
}

// ---- Refused ----

TEST_F(StreamsTest, other_version_is_refused) {
  proto::Greeting g = stranger.greeting();
  g.version_low = g.version_high = proto::kVersionHigh + 1;
  refuse(g, RefuseReason::kVersion);
}

TEST_F(StreamsTest, other_inner_provider_is_refused) {
  proto::Greeting g = stranger.greeting();
  g.provider = proto::provider_name("sockets");
  refuse(g, RefuseReason::kProvider);
}

// There is no way to answer it over an endpoint of ours.
TEST_F(StreamsTest, other_address_family_is_refused) {
  proto::Greeting g = stranger.greeting();
  g.home.family = g.answer.family = 6;
  rig.hear(Stranger::greet(Kind::kHello, g, 0));
  EXPECT_EQ(rig.streams->counters().refused, 1u);
  EXPECT_EQ(rig.sessions(), 0u);
}

TEST_F(StreamsTest, tiny_frames_are_refused) {
  stranger.largest_frame = proto::kSmallestFrame - 1;
  refuse(stranger.greeting(), RefuseReason::kLimits);
}

TEST_F(StreamsTest, tiny_windows_are_refused) {
  stranger.window = proto::kSmallestWindow - 1;
  refuse(stranger.greeting(), RefuseReason::kLimits);
}

TEST_F(StreamsTest, huge_limits_are_cut_to_ours) {
  stranger.largest_frame = stranger.window = std::numeric_limits<std::uint32_t>::max();
  Session& session = rig.meet(stranger);
  EXPECT_EQ(session.largest_body(), kLargestFrame - proto::kPrefixSize);
}

TEST_F(StreamsTest, welcome_with_impossible_limits_ends_the_greeting) {
  Session& session = greet();
  session.owner = &rig;
  stranger.window = 0;
  rig.hear(stranger.welcome());
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTONOSUPPORT});
  EXPECT_EQ(rig.sessions(), 0u);
}

// A candidate that nobody wants has asked for no WELCOME.
TEST_F(StreamsTest, welcome_with_impossible_limits_opens_no_candidate) {
  rig.hear(stranger.hello());
  ASSERT_TRUE(stranger.read(rig.said()));
  stranger.window = 0;
  stranger.largest_frame = 0;
  rig.hear(stranger.welcome());
  EXPECT_TRUE(rig.upper.opened.empty());
}

TEST_F(StreamsTest, refuse_ends_the_greeting) {
  greet().owner = &rig;
  rig.hear(stranger.refuse(RefuseReason::kVersion));
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTONOSUPPORT});
  EXPECT_EQ(rig.streams->counters().refused, 1u);
}

TEST_F(StreamsTest, forged_refuse_is_ignored) {
  Session& session = greet();
  ++stranger.far_nonce;
  rig.hear(stranger.refuse(RefuseReason::kVersion));
  EXPECT_EQ(session.state(), SessionState::kGreeting);
  EXPECT_EQ(rig.streams->counters().unknown, 1u);
}

TEST_F(StreamsTest, refuse_is_not_believed_of_an_open_session) {
  Session& session = rig.meet(stranger);
  rig.hear(stranger.refuse(RefuseReason::kVersion));
  EXPECT_TRUE(session.open());
}

// ---- Tokens ----

TEST_F(StreamsTest, frame_under_an_unknown_token_is_dropped) {
  rig.meet(stranger);
  ++stranger.nonce;
  rig.hear(stranger.next(Kind::kEager, eager(1, text("x"))));
  EXPECT_EQ(rig.streams->counters().unknown, 1u);
  EXPECT_TRUE(rig.upper.frames.empty());
}

TEST_F(StreamsTest, ping_of_the_unknown_is_answered_by_reset) {
  rig.hear(stranger.ping(1));
  const auto reset = of_kind(rig.said(), Kind::kReset);
  ASSERT_EQ(reset.size(), 1u);
  EXPECT_EQ(reset[0].to, stranger.home);
  EXPECT_EQ(prefix_of(reset[0]).token, stranger.token());
}

TEST_F(StreamsTest, reset_with_a_token_of_nobody_is_ignored) {
  Session& session = rig.meet(stranger);
  ++stranger.far_nonce;
  rig.hear(stranger.reset(proto::ResetReason::kEnded));
  EXPECT_TRUE(session.open());
  EXPECT_EQ(rig.streams->counters().unknown, 1u);
}

TEST_F(StreamsTest, reset_ends_its_session_only) {
  Session& session = rig.meet(stranger);
  session.owner = &rig;
  Stranger other{2001, 0x6161};
  Session& stays = rig.meet(other);
  rig.hear(stranger.reset(proto::ResetReason::kEnded));
  EXPECT_EQ(rig.upper.ended, std::vector<int>{ECONNRESET});
  EXPECT_EQ(rig.streams->counters().resets, 1u);
  EXPECT_TRUE(stays.open());
  EXPECT_EQ(rig.sessions(), 1u);
}

// Whoever has two sessions with us knows both tokens, and our nonce of the second one.
TEST_F(StreamsTest, a_peer_cannot_make_two_sessions_one) {
  rig.meet(stranger);
  Stranger twin{2001};
  rig.streams->greet(twin.home)->owner = &rig;
  rig.settle();
  ASSERT_TRUE(twin.read(rig.said()));
  twin.nonce = std::rotl(stranger.token() - twin.far_nonce, 32);
  ASSERT_EQ(twin.token(), stranger.token());
  rig.hear(twin.welcome());
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTO});
  EXPECT_EQ(rig.sessions(), 1u);
  rig.hear(stranger.next(Kind::kEager, eager(1, text("x"))));
  EXPECT_EQ(rig.upper.frames.size(), 1u);
}

// ---- Noise and lies ----

TEST_F(StreamsTest, bytes_that_are_no_frame_are_noise) {
  rig.meet(stranger);
  rig.hear(text("GET / HTTP/1.1"));
  rig.hear({});
  rig.hear(Frame(proto::kPrefixSize));
  EXPECT_EQ(rig.streams->counters().noise, 3u);
  EXPECT_EQ(rig.sessions(), 1u);
}

TEST_F(StreamsTest, malformed_frame_under_a_valid_token_is_a_lie) {
  rig.meet(stranger).owner = &rig;
  Frame frame = stranger.next(Kind::kEager, eager(1, text("x")));
  frame[4] ^= std::byte{1};  // its length
  rig.hear(frame);
  EXPECT_EQ(rig.streams->counters().lies, 1u);
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTO});
}

TEST_F(StreamsTest, unknown_kind_under_a_valid_token_is_a_lie) {
  rig.meet(stranger).owner = &rig;
  rig.hear(stranger.next(static_cast<Kind>(50)));
  EXPECT_EQ(rig.streams->counters().lies, 1u);
}

TEST_F(StreamsTest, unknown_flag_under_a_valid_token_is_a_lie) {
  rig.meet(stranger).owner = &rig;
  rig.hear(stranger.next(Kind::kEager, eager(1, {}), 0x80));
  EXPECT_EQ(rig.streams->counters().lies, 1u);
}

TEST_F(StreamsTest, a_flood_of_greetings_is_forgotten_by_number) {
  for (std::uint64_t i = 1; i <= 1100; ++i)
    rig.hear(Stranger(static_cast<std::uint16_t>(3000 + i), i).hello());
  EXPECT_EQ(rig.sessions(), 1024u);
}

TEST_F(StreamsTest, a_flood_of_greetings_leaves_alone_whom_we_greet) {
  rig.hear(stranger.hello());
  rig.streams->greet(stranger.home)->owner = &rig;
  for (std::uint64_t i = 1; i <= 1100; ++i)
    rig.hear(Stranger(static_cast<std::uint16_t>(3000 + i), i).hello());
  EXPECT_TRUE(rig.upper.ended.empty());
}

}  // namespace
}  // namespace xs::stream::test
