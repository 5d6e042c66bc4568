// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream_model.hpp"

#include "model_test.hpp"

// Each test that takes a rule out shows the fault that the rule is there for.
namespace xs::model {
namespace {

Report stream(const StreamRules& rules, const StreamWorld& world) {
  return explored(StreamModel(rules, world));
}

constexpr StreamWorld kOneReset{.resets = 1};

TEST(Stream, IsCleanUnderTwoResets) { EXPECT_TRUE(stream({}, {.resets = 2}).clean()); }

TEST(Stream, IsCleanWithStalls) { EXPECT_TRUE(stream({}, {.resets = 1, .stalls = 1}).clean()); }

TEST(Stream, IsCleanWithRegreetings) {
  EXPECT_TRUE(stream({}, {.resets = 1, .regreetings = 1}).clean());
}

TEST(Stream, IsCleanWithATalkingPeer) {
  EXPECT_TRUE(stream({}, {.resets = 1, .peer_talks = true}).clean());
}

TEST(StreamWithout, DroppingOldFramesTakesDuplicates) {
  EXPECT_STREQ(stream({.drop_old = false}, kOneReset).broken, "a frame was taken twice");
}

TEST(StreamWithout, DroppingFramesAheadLosesTheirPredecessors) {
  EXPECT_STREQ(stream({.drop_ahead = false}, kOneReset).broken,
               "a frame was taken before its predecessor");
}

TEST(StreamWithout, PingSilentLossIsForEver) {
  EXPECT_GT(stream({.ping = false}, kOneReset).stuck, 0U);
}

TEST(StreamWithout, PingWhileThePeerTalksTheLossIsHidden) {
  const StreamWorld talker{.resets = 1, .peer_talks = true};
  EXPECT_GT(stream({.ping_while_peer_talks = false}, talker).stuck, 0U);
}

TEST(StreamWithout, AnswersToPingTheSenderWaitsForEver) {
  EXPECT_GT(stream({.ping_is_answered = false}, kOneReset).stuck, 0U);
}

TEST(StreamWithout, ReplayOnEchoTheLastFramesAreLost) {
  EXPECT_GT(stream({.echo_replays = false}, kOneReset).stuck, 0U);
}

TEST(StreamWithout, ASecondReplayOfThePositionASecondLossIsForEver) {
  EXPECT_GT(stream({.replay_again = false}, {.resets = 2}).stuck, 0U);
}

TEST(StreamWithout, IgnoringStaleAcknowledgementsHonestPeersLie) {
  EXPECT_STREQ(stream({.stale_ack_is_old = false}, kOneReset).broken,
               "an honest peer was called a liar");
}

TEST(StreamWithout, TheHighestSentAsLimitHonestPeersLie) {
  EXPECT_STREQ(stream({.limit_is_highest_sent = false}, kOneReset).broken,
               "an honest peer was called a liar");
}

TEST(StreamWithout, KeepingPostedFramesBuffersAreReused) {
  EXPECT_STREQ(stream({.keep_while_posted = false}, kOneReset).broken,
               "a buffer was reused under the inner provider's hands");
}

TEST(StreamWithout, RetiringStalledConnectionsNothingMoves) {
  EXPECT_GT(stream({.retire_stalled = false}, {.resets = 0, .stalls = 1}).stuck, 0U);
}

TEST(StreamWithout, TheWindowMemoryIsUnbounded) {
  EXPECT_STREQ(stream({.window = false}, kOneReset).broken, "more than a window is unacknowledged");
}

TEST(StreamWithout, LingerFramesAreLostAtExit) {
  EXPECT_GT(stream({.linger = false}, {.resets = 0}).stuck, 0U);
}

TEST(StreamWithout, AnswersFromAClosedSideTheSenderWaitsForEver) {
  EXPECT_GT(stream({.closed_answers = false}, kOneReset).stuck, 0U);
}

// GAP, and the replays on re-greetings and failed sends, are for speed: PING finds all of it.
TEST(StreamWithout, AnythingButPingItIsSlowButClean) {
  const StreamRules slow{
      .gap_report = false, .regreeting_replays = false, .failed_send_replays = false};
  EXPECT_TRUE(stream(slow, {.resets = 1, .stalls = 1}).clean());
}

}  // namespace
}  // namespace xs::model
