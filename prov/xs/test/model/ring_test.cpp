// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "model_test.hpp"
#include "ring_model.hpp"

// Each test that takes a rule out shows the fault that the rule is there for, on the strongest
// machine and in the simplest world that shows it.
namespace xs::model {
namespace {

constexpr RingWorld kTso{};
constexpr RingWorld kWeak{.weak = true};
constexpr RingWorld kTsoAhead{.clears_ahead = true};
constexpr RingWorld kWeakAhead{.weak = true, .clears_ahead = true};
constexpr RingWorld kTsoLoss{.losses = 1};
constexpr RingWorld kTsoSleepyConsumer{.consumer_sleeps = true};
constexpr RingWorld kTsoSleepyProducer{.producer_sleeps = true};
constexpr RingWorld kWeakAll{
    .weak = true, .consumer_sleeps = true, .producer_sleeps = true, .losses = 1};

constexpr const char* kBytes = "a frame was taken with other bytes than its own";
constexpr const char* kPayload = "old payload was looked at as a stamp";
constexpr const char* kLiar = "an honest peer was called a liar";

Report ring(const RingRules& rules, const RingWorld& world) {
  return explored(RingModel(rules, world));
}

TEST(RingModel, IsCleanUnderTso) { EXPECT_TRUE(ring({}, kTso).clean()); }

TEST(RingModel, IsCleanUnderWeakOrder) { EXPECT_TRUE(ring({}, kWeak).clean()); }

TEST(RingModel, IsCleanWhenCellsAreClearedAhead) {
  EXPECT_TRUE(ring({}, kTsoAhead).clean());
  EXPECT_TRUE(ring({}, kWeakAhead).clean());
}

TEST(RingModel, IsCleanUnderWeakOrderWithSleepAndLoss) { EXPECT_TRUE(ring({}, kWeakAll).clean()); }

TEST(RingModelWithout, ClearingTheNextStampOldPayloadIsAStamp) {
  EXPECT_STREQ(ring({.clear_next = false}, kTso).broken, kPayload);
}

TEST(RingModelWithout, TheStampLastFramesAreSeenBeforeTheirBytes) {
  EXPECT_STREQ(ring({.stamp_last = false}, kTso).broken, kBytes);
}

// TSO keeps stores in order by itself.
TEST(RingModelWithout, ReleaseAWeakMachineShowsStampsFirst) {
  EXPECT_TRUE(ring({.release = false}, kTso).clean());
  EXPECT_STRNE(ring({.release = false}, kWeak).broken, "");
}

TEST(RingModelWithout, AcquireOldBytesAreTaken) {
  EXPECT_STREQ(ring({.acquire = false}, kTso).broken, kBytes);
}

TEST(RingModelWithout, TheRecheckALostMappingIsAMessage) {
  EXPECT_TRUE(ring({.recheck = false}, kTso).clean());
  EXPECT_STREQ(ring({.recheck = false}, kTsoLoss).broken, kBytes);
}

TEST(RingModelWithout, TheFenceTheRecheckProvesNothing) {
  EXPECT_STREQ(ring({.fence = false}, kTsoLoss).broken, kBytes);
}

TEST(RingModelWithout, TheSpareCellTheOldestStampIsCleared) {
  EXPECT_STREQ(ring({.spare_cell = false}, kTso).broken, kLiar);
}

TEST(RingModelWithout, KnowingThatACellIsFreeAStampIsCleared) {
  EXPECT_STREQ(ring({.clear_free_only = false}, kTsoAhead).broken, kLiar);
}

TEST(RingModelWithout, CountingWhatIsClearedAnOldStampIsFound) {
  EXPECT_STREQ(ring({.count_cleared = false}, kTsoAhead).broken, kLiar);
}

TEST(RingModelWithout, CopyingFirstTheFrameIsOverwritten) {
  EXPECT_STREQ(ring({.copy_before_publish = false}, kTso).broken, kLiar);
}

TEST(RingModelWithout, PublishingWhenEmptyALargeFrameNeverFits) {
  EXPECT_GT(ring({.publish_when_empty = false}, kTso).stuck, 0U);
}

TEST(RingModelWithout, FullOrderInTheProducerAWakeUpIsLost) {
  EXPECT_GT(ring({.producer_full_order = false}, kTsoSleepyConsumer).stuck, 0U);
}

TEST(RingModelWithout, FullOrderInTheConsumerAWakeUpIsLost) {
  EXPECT_GT(ring({.consumer_full_order = false}, kTsoSleepyProducer).stuck, 0U);
}

TEST(RingModelWithout, FullOrderAfterArmingAWakeUpIsLost) {
  EXPECT_GT(ring({.armed_full_order = false}, kTsoSleepyConsumer).stuck, 0U);
  EXPECT_GT(ring({.armed_full_order = false}, kTsoSleepyProducer).stuck, 0U);
}

TEST(RingModelWithout, LookingAgainTheConsumerOversleeps) {
  EXPECT_GT(ring({.consumer_looks_again = false}, kTsoSleepyConsumer).stuck, 0U);
}

TEST(RingModelWithout, LookingAgainTheProducerOversleeps) {
  EXPECT_GT(ring({.producer_looks_again = false}, kTsoSleepyProducer).stuck, 0U);
}

TEST(RingModelWithout, ANewValuePerArmingTheSecondSleepIsForEver) {
  EXPECT_GT(ring({.new_value_per_arming = false}, kTsoSleepyConsumer).stuck, 0U);
}

}  // namespace
}  // namespace xs::model
