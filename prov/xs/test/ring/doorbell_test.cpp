// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who rings when (docs/ring.md §7); that no ring is missing under any order of memory is the
// business of the ring model.
#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

constexpr Terms kSleepyConsumer{.consumer_sleeps = true};
constexpr Terms kSleepyProducer{.producer_sleeps = true};
const Payload kFrame(56, std::byte{1});

TEST(RingDoorbell, NobodyRingsForOneThatPolls) {
  RingPair ring(4);
  *ring.memory_b.word(kConsumerArmAt) = 1;
  *ring.memory_a.word(kProducerArmAt) = 1;
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.take(), kFrame);
  ring.publish();
  EXPECT_EQ(ring.rings_for_a + ring.rings_for_b, 0);
}

TEST(RingDoorbell, AnArmedConsumerIsRungForOnce) {
  RingPair ring(8, {}, kSleepyConsumer);
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.rings_for_b, 0) << "it is awake";
  EXPECT_EQ(ring.take(), kFrame);
  ring.publish();
  EXPECT_TRUE(ring.consumer.arm());
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.rings_for_b, 1);
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.rings_for_b, 1) << "once per arming";
}

TEST(RingDoorbell, EveryArmingIsRungForAnew) {
  RingPair ring(60, {}, kSleepyConsumer);
  for (int turn = 1; turn <= 5; ++turn) {
    EXPECT_TRUE(ring.consumer.arm());
    ASSERT_TRUE(ring.send(kFrame));
    EXPECT_EQ(ring.rings_for_b, turn);
    if (turn % 2 == 0) ring.consumer.disarm();  // woken by a timer, it may forget to
    EXPECT_EQ(ring.take(), kFrame);
    ring.publish();
  }
}

TEST(RingDoorbell, ADisarmedConsumerIsNotRungFor) {
  RingPair ring(8, {}, kSleepyConsumer);
  EXPECT_TRUE(ring.consumer.arm());
  ring.consumer.disarm();
  ring.consumer.disarm();
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.rings_for_b, 0);
}

TEST(RingDoorbell, AConsumerThatFindsSomethingStaysAwake) {
  RingPair ring(8, {}, kSleepyConsumer);
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_FALSE(ring.consumer.arm());
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.rings_for_b, 0);
}

TEST(RingDoorbell, AConsumerThatOwesOrFailedStaysAwake) {
  RingPair ring(8, {}, kSleepyConsumer);
  ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.take(), kFrame);
  EXPECT_FALSE(ring.consumer.arm());
  ring.publish();
  ring.memory_a.fill(std::byte{0xff});
  EXPECT_FALSE(ring.consumer.arm());
  EXPECT_EQ(ring.consumer.health(), Health::kLost);
}

TEST(RingDoorbell, AnArmedProducerIsRungForOnce) {
  RingPair ring(4, kSleepyProducer, {});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.producer.claim(56), Claimed::kFull);
  EXPECT_TRUE(ring.producer.arm(56));
  EXPECT_EQ(ring.take(), kFrame);
  EXPECT_EQ(ring.rings_for_a, 0);
  ring.publish();
  EXPECT_EQ(ring.rings_for_a, 1);
  ring.publish();
  EXPECT_EQ(ring.take(), kFrame);
  ring.publish();
  EXPECT_EQ(ring.rings_for_a, 1);
  EXPECT_EQ(ring.producer.claim(56), Claimed::kOk);
}

TEST(RingDoorbell, AProducerThatFindsRoomStaysAwake) {
  RingPair ring(4, kSleepyProducer, {});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.send(kFrame));
  EXPECT_EQ(ring.take(), kFrame);
  ring.publish();
  EXPECT_FALSE(ring.producer.arm(56));
  EXPECT_EQ(ring.producer.claim(56), Claimed::kOk);
  EXPECT_TRUE(ring.producer.arm(2 * 64));
  ring.producer.disarm();
  EXPECT_EQ(ring.take(), kFrame);
  ring.publish();
  EXPECT_EQ(ring.rings_for_a, 0);
}

TEST(RingDoorbell, AProducerWhosePeerIsLostStaysAwake) {
  RingPair ring(4, kSleepyProducer, {});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.send(kFrame));
  ring.memory_b.fill(std::byte{0xff});
  EXPECT_FALSE(ring.producer.arm(56));
  EXPECT_EQ(ring.producer.health(), Health::kLost);
}

}  // namespace
}  // namespace xs::ring::test
