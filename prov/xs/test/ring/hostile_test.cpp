// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A peer that lies, and a mapping that dies: at worst the ring is left.
#include <functional>

#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

constexpr std::uint64_t kEpoch = RingPair::kEpoch;
constexpr std::uint8_t kTag = tag_of(kEpoch);

// How B's look at a ring of 4 cells ends if this word stands in cell 0.
Health seen_as(std::uint64_t word) {
  RingPair ring(4);
  *ring.memory_a.cell(0) = word;
  EXPECT_EQ(ring.consumer.peek(), Peeked::kFailed);
  *ring.memory_a.cell(0) = Stamp{.number = 1, .size = 8, .tag = kTag}.word();
  EXPECT_EQ(ring.consumer.peek(), Peeked::kFailed) << "a failure is final";
  return ring.consumer.health();
}

TEST(HostileRing, ImpossibleStampsBreakIt) {
  EXPECT_EQ(seen_as(Stamp{.number = 2, .size = 8, .tag = kTag}.word()), Health::kBroken);
  EXPECT_EQ(seen_as(Stamp{.number = 0, .size = 8, .tag = kTag}.word()), Health::kBroken);
  EXPECT_EQ(seen_as(Stamp{.number = 1, .size = 0, .tag = kTag}.word()), Health::kBroken);
  EXPECT_EQ(seen_as(Stamp{.number = 1, .size = 3 * 64 - 7, .tag = kTag}.word()), Health::kBroken);
  EXPECT_EQ(seen_as(Stamp{.number = 1, .size = 0xffffff, .tag = kTag}.word()), Health::kBroken);
}

TEST(HostileRing, TheLargestFrameIsNoLie) {
  RingPair ring(4);
  *ring.memory_a.cell(0) = Stamp{.number = 1, .size = 3 * 64 - 8, .tag = kTag}.word();
  EXPECT_EQ(ring.consumer.peek(), Peeked::kFrame);
}

TEST(HostileRing, AFrameOfAnotherEpochIsNotTaken) {
  for (const std::uint64_t other : {kEpoch - 1, kEpoch + 1, kEpoch + (std::uint64_t{1} << 32)}) {
    EXPECT_EQ(seen_as(Stamp{.number = 1, .size = 8, .tag = tag_of(other)}.word()), Health::kBroken);
  }
}

TEST(HostileRing, AStampOfAllOnesIsLoss) { EXPECT_EQ(seen_as(kAllOnes), Health::kLost); }

TEST(HostileRing, AStampThatChangesAfterTheCopyTakesNothing) {
  for (const std::uint64_t changed : {std::uint64_t{0}, kAllOnes, std::uint64_t{7}}) {
    RingPair ring(4);
    ASSERT_TRUE(ring.send(plausible(1, 100, kEpoch)));
    ASSERT_EQ(ring.consumer.peek(), Peeked::kFrame);
    Payload payload(100);
    ring.consumer.copy(0, payload.data(), payload.size());
    EXPECT_TRUE(ring.consumer.stands());
    *ring.memory_a.cell(0) = changed;
    EXPECT_FALSE(ring.consumer.release());
    EXPECT_EQ(ring.consumer.health(), changed == kAllOnes ? Health::kLost : Health::kBroken);
    EXPECT_EQ(ring.consumer.taken(), 0u);
    EXPECT_EQ(ring.consumer.peek(), Peeked::kFailed);
    ring.publish();
    EXPECT_EQ(*ring.memory_b.word(kConsumedAt), 0u);
  }
}

// Dies at its n-th access to the peer's memory; a copy that is going on then is half good.
struct Mortal : SharedMemory {
  static inline int accesses_left = 0;
  static inline Pages* mapping = nullptr;

  static void age() {
    if (accesses_left-- == 0) mapping->fill(std::byte{0xff});
  }
  static std::uint64_t load(const std::uint64_t* word, std::memory_order order) {
    age();
    return SharedMemory::load(word, order);
  }
  static void copy(std::byte* to, const std::byte* from, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      age();
      to[i] = from[i];
    }
  }
};

// A consumer whose mapping dies at any access, in the middle of a copy included, has taken exactly
// what it was sent up to then.
TEST(HostileRing, LossAtAnyAccessIsNeverAMessage) {
  using Ring = BasicRingPair<SharedMemory, Mortal>;
  bool alive = false;
  for (int life = 0; !alive; ++life) {
    ASSERT_LT(life, 10000);
    Ring ring(6);
    Mortal::mapping = &ring.memory_a;
    Mortal::accesses_left = 1 << 30;
    for (std::uint64_t number = 1; number <= 3; ++number) {
      ASSERT_TRUE(ring.send(plausible(number, 20 * number, kEpoch)));
    }
    Mortal::accesses_left = life;
    std::uint64_t taken = 0;
    while (ring.consumer.peek() == Peeked::kFrame) {
      Payload payload(ring.consumer.size());
      ring.consumer.copy(0, payload.data(), payload.size());
      if (!ring.consumer.release()) break;
      ++taken;
      ASSERT_EQ(payload, plausible(taken, 20 * taken, kEpoch)) << "life " << life;
    }
    alive = Mortal::accesses_left >= 0;
    EXPECT_EQ(ring.consumer.health(), alive ? Health::kFine : Health::kLost);
    EXPECT_EQ(ring.consumer.taken(), taken);
  }
}

// How A's next look ends if B says that it took so many of the 3 frames sent, after it took 1.
Health counted_as(std::uint64_t count) {
  RingPair ring(8);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    EXPECT_TRUE(ring.send(plausible(number, 8, kEpoch)));
  }
  *ring.memory_b.word(kConsumedAt) = 1;
  EXPECT_EQ(ring.producer.refresh(), Health::kFine);
  *ring.memory_b.word(kConsumedAt) = count;
  const Health health = ring.producer.refresh();
  *ring.memory_b.word(kConsumedAt) = 3;
  EXPECT_EQ(ring.producer.refresh(), health) << "a failure is final";
  EXPECT_EQ(ring.producer.claim(8), health == Health::kFine ? Claimed::kOk : Claimed::kFailed);
  return health;
}

TEST(HostileRing, ImpossibleCountsBreakIt) {
  EXPECT_EQ(counted_as(0), Health::kBroken);
  EXPECT_EQ(counted_as(1), Health::kFine);
  EXPECT_EQ(counted_as(2), Health::kFine);
  EXPECT_EQ(counted_as(3), Health::kFine);
  EXPECT_EQ(counted_as(4), Health::kBroken);
  EXPECT_EQ(counted_as(1ull << 32 | 2), Health::kBroken);
  EXPECT_EQ(counted_as(kAllOnes - 1), Health::kBroken);
  EXPECT_EQ(counted_as(kAllOnes), Health::kLost);
}

TEST(HostileRing, ArmWordsOfAllOnesAreLossButTheFrameIsKept) {
  RingPair ring(8, {}, {.consumer_sleeps = true});
  *ring.memory_b.word(kConsumerArmAt) = kAllOnes;
  ASSERT_TRUE(ring.send(plausible(1, 8, kEpoch)));
  EXPECT_EQ(ring.rings_for_b, 0);
  EXPECT_EQ(ring.producer.health(), Health::kLost);
  EXPECT_EQ(ring.producer.claim(8), Claimed::kFailed);
  EXPECT_EQ(joined(ring.producer.kept(1)), plausible(1, 8, kEpoch));
}

// Found by the fuzzer: a broken side saw an arm word of all ones and called itself lost.
TEST(HostileRing, TheFirstFailureIsTheFinalOne) {
  const Terms sleepy{.consumer_sleeps = true, .producer_sleeps = true};
  RingPair ring(8, sleepy, sleepy);
  ASSERT_TRUE(ring.send(plausible(1, 8, kEpoch)));
  ASSERT_FALSE(ring.take().empty());
  *ring.memory_a.cell(1) = 7;
  EXPECT_EQ(ring.consumer.peek(), Peeked::kFailed);
  *ring.memory_a.word(kProducerArmAt) = kAllOnes;
  ring.publish();
  EXPECT_EQ(ring.consumer.health(), Health::kBroken);

  ASSERT_EQ(ring.producer.claim(8), Claimed::kOk);
  *ring.memory_b.word(kConsumedAt) = 7;
  EXPECT_EQ(ring.producer.refresh(), Health::kBroken);
  *ring.memory_b.word(kConsumerArmAt) = kAllOnes;
  EXPECT_FALSE(ring.producer.commit());
  EXPECT_EQ(ring.producer.health(), Health::kBroken);
}

TEST(HostileRing, ALyingArmWordCostsOneRingPerFrame) {
  RingPair ring(60, {}, {.consumer_sleeps = true});
  for (std::uint64_t number = 1; number <= 10; ++number) {
    *ring.memory_b.word(kConsumerArmAt) = 2 * number * number + 1;
    ASSERT_TRUE(ring.send(plausible(number, 8, kEpoch)));
  }
  EXPECT_EQ(ring.rings_for_b, 10);
}

}  // namespace
}  // namespace xs::ring::test
