// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who may say where a peer is found now: docs/wire.md 4, rules 2 and 8. Forged greetings and those
// that come late move nobody.
#include <gtest/gtest.h>

#include "stream/stream_rig.hpp"

namespace xs::stream::test {
namespace {

using proto::Kind;

struct RouteLiesTest : testing::Test {
  void SetUp() override { session = &rig.meet(stranger); }

  // The stranger's incarnation and nonce, both no secret to whoever listens; its name, too.
  Frame hello(std::uint64_t token, std::uint32_t number, const proto::Address& answer) const {
    proto::Greeting greeting = stranger.greeting();
    greeting.lane = number;
    greeting.answer = answer;
    return Stranger::greet(Kind::kHello, greeting, token);
  }
  Frame ping(std::uint32_t number, const proto::Address& answer) const {
    return stranger.frame(Kind::kPing, 1,
                          body_of(proto::Ping{stranger.life, stranger.home, number, answer}));
  }
  // Where a message to the stranger goes now.
  proto::Address goes_to() {
    rig.said();
    FrameBuffer* frame = session->claim(Kind::kEager, proto::kEnvelopeSize);
    if (!frame) return {};
    session->commit(*frame, 0, 0);
    rig.settle();
    const auto sent = of_kind(rig.said(), Kind::kEager);
    return sent.empty() ? proto::Address{} : sent.back().to;
  }
  void goes_on() {
    rig.hear(stranger.next(Kind::kEager, eager(1, text("x"))));
    EXPECT_EQ(rig.upper.frames.back(), Kind::kEager);
    EXPECT_TRUE(session->open());
    EXPECT_TRUE(rig.upper.ended.empty());
    EXPECT_EQ(rig.streams->counters().lies, 0u);
  }

  StreamRig rig;
  Stranger stranger{2000};
  Session* session = nullptr;
  const proto::Address elsewhere = test_address(6666), farther = test_address(7777);
};

TEST_F(RouteLiesTest, greeting_under_the_token_moves) {
  rig.hear(hello(stranger.token(), 2, elsewhere));
  EXPECT_EQ(goes_to(), elsewhere);
  goes_on();
}

TEST_F(RouteLiesTest, greeting_without_a_token_is_answered_at_home_and_moves_nothing) {
  rig.hear(hello(0, 2, elsewhere));
  const auto answer = of_kind(rig.said(), Kind::kWelcome);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].to, stranger.home);
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

TEST_F(RouteLiesTest, greeting_under_a_guessed_token_moves_nothing) {
  for (const std::uint64_t guess : {stranger.token() ^ 1, stranger.far_token(), stranger.nonce})
    rig.hear(hello(guess, 2, elsewhere));
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

TEST_F(RouteLiesTest, greeting_under_the_token_of_another_session_moves_nothing) {
  Stranger other{2001, 0x6161};
  rig.meet(other);
  rig.hear(hello(other.token(), 2, elsewhere));
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

// Somebody else's nonce under our peer's name and incarnation: another session, of which nothing is
// proven.
TEST_F(RouteLiesTest, greeting_with_another_nonce_touches_no_open_session) {
  proto::Greeting greeting = stranger.greeting();
  greeting.token = 0x6666;
  greeting.answer = elsewhere;
  rig.hear(Stranger::greet(Kind::kHello, greeting, 0));
  EXPECT_EQ(of_kind(rig.said(), Kind::kWelcome).size(), 1u);
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

TEST_F(RouteLiesTest, older_greeting_that_comes_late_moves_nothing) {
  rig.hear(hello(stranger.token(), 3, elsewhere));
  rig.hear(hello(stranger.token(), 2, farther));
  rig.hear(hello(stranger.token(), 3, farther));
  EXPECT_EQ(goes_to(), elsewhere);
  goes_on();
}

TEST_F(RouteLiesTest, older_ping_that_comes_late_moves_nothing) {
  rig.hear(ping(3, elsewhere));
  rig.hear(ping(2, farther));
  EXPECT_EQ(goes_to(), elsewhere);
  goes_on();
}

TEST_F(RouteLiesTest, ping_of_another_life_moves_nothing) {
  proto::Incarnation other = stranger.life;
  ++other.low;
  rig.hear(
      stranger.frame(Kind::kPing, 1, body_of(proto::Ping{other, stranger.home, 2, elsewhere})));
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

// Rule 8: who answers at the peer's home would know whether it lives on; who has the port of one of
// its lanes now would not.
struct StrangersResetTest : RouteLiesTest {
  Frame reset(std::uint32_t route) const {
    Stranger other = stranger;
    other.life = {0x5151, 0x5252};
    return other.reset(proto::ResetReason::kUnknown, route);
  }
};

TEST_F(StrangersResetTest, who_has_a_lanes_port_now_ends_nothing) {
  rig.hear(hello(stranger.token(), 2, elsewhere));
  ASSERT_EQ(goes_to(), elsewhere);
  rig.hear(reset(session->our_route()));
  ASSERT_EQ(rig.sessions(), 1u);
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

TEST_F(StrangersResetTest, an_answer_to_an_older_question_ends_nothing) {
  rig.hear(reset(session->our_route() - 1));
  ASSERT_EQ(rig.sessions(), 1u);
  EXPECT_EQ(goes_to(), stranger.home);
  goes_on();
}

TEST_F(StrangersResetTest, who_has_its_home_now_ends_the_session) {
  goes_to();  // something was sent to the one before
  rig.hear(reset(session->our_route()));
  EXPECT_EQ(rig.sessions(), 0u);
  EXPECT_EQ(rig.streams->counters().resets, 1u);
}

}  // namespace
}  // namespace xs::stream::test
