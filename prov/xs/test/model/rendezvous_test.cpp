// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rendezvous_model.hpp"

#include "model_test.hpp"

// Each test that takes a rule out shows the fault that the rule is there for.
namespace xs::model {
namespace {

constexpr RendezvousWorld kRough{.losses = 2, .stalls = 2, .moves = 1};

constexpr const char* kStopped = "a bulk message without a receive stopped the lane";

Report rendezvous(const RendezvousRules& rules) { return explored(RendezvousModel(rules, kRough)); }

TEST(Rendezvous, IsClean) { EXPECT_TRUE(rendezvous({}).clean()); }

TEST(RendezvousWithout, PostingBeforeCtsTheLaneStops) {
  EXPECT_STREQ(rendezvous({.post_before_cts = false}).broken, kStopped);
}

TEST(RendezvousWithout, ScratchALateBulkMessageStopsTheLane) {
  EXPECT_STREQ(rendezvous({.scratch = false}).broken, kStopped);
}

TEST(RendezvousWithout, TheLaneInCtsAMoveStopsTheLane) {
  EXPECT_STREQ(rendezvous({.lane_in_cts = false}).broken, kStopped);
}

TEST(RendezvousWithout, TakingBackLostBytesAreWaitedForForEver) {
  EXPECT_GT(rendezvous({.take_back = false}).stuck, 0U);
}

TEST(RendezvousWithout, WaitingForTheInnerReceiveItWritesBesideData) {
  EXPECT_STREQ(rendezvous({.wait_for_let_go = false}).broken,
               "the user's memory was written after completion or beside DATA");
}

TEST(RendezvousWithout, WaitingForTheInnerSendTheBufferIsFreedEarly) {
  EXPECT_STREQ(rendezvous({.release_after_let_go = false}).broken,
               "the user got a buffer back that is still being sent");
}

TEST(RendezvousWithout, SentForFailedSendsTheReceiverWaitsForEver) {
  EXPECT_GT(rendezvous({.always_sent = false}).stuck, 0U);
}

TEST(RendezvousWithout, KeepingTheIdUntilSentHonestPeersLie) {
  EXPECT_STREQ(rendezvous({.keep_id_until_sent = false}).broken,
               "an honest peer was called a liar");
}

TEST(RendezvousWithout, RetiringLanesTheInnerProviderNeverLetsGo) {
  EXPECT_GT(rendezvous({.retire_lane = false}).stuck, 0U);
}

// The next attempt waits for SENT only so that the payload isn't sent twice at once.
TEST(RendezvousWithout, WaitingForSentItIsWastefulButClean) {
  EXPECT_TRUE(rendezvous({.wait_for_sent = false}).clean());
}

}  // namespace
}  // namespace xs::model
