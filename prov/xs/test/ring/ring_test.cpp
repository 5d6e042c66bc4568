// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a ring does between honest sides.
#include <algorithm>
#include <random>

#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

constexpr std::uint64_t kEpoch = RingPair::kEpoch;
constexpr std::size_t kPage = 60;  // cells

Payload pattern(std::size_t size, int seed) {
  Payload payload(size);
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::byte>(seed + i * 7);
  return payload;
}

TEST(Ring, IsEmptyAtFirst) {
  RingPair ring(kPage);
  EXPECT_EQ(ring.consumer.peek(), Peeked::kEmpty);
  EXPECT_EQ(ring.producer.published(), 0u);
}

TEST(Ring, NothingIsSeenOfAFrameBeforeItsCommit) {
  RingPair ring(kPage);
  ASSERT_EQ(ring.producer.claim(8), Claimed::kOk);
  EXPECT_EQ(ring.consumer.peek(), Peeked::kEmpty);
  ring.producer.put(0, pattern(8, 1));
  EXPECT_EQ(ring.consumer.peek(), Peeked::kEmpty);
  EXPECT_FALSE(ring.producer.commit());
  EXPECT_EQ(ring.take(), pattern(8, 1));
}

TEST(Ring, AClaimCanBeForgotten) {
  RingPair ring(kPage);
  ASSERT_EQ(ring.producer.claim(200), Claimed::kOk);
  ring.producer.put(0, pattern(200, 1));
  ASSERT_TRUE(ring.send(pattern(9, 2)));
  EXPECT_EQ(ring.take(), pattern(9, 2));
  EXPECT_EQ(ring.consumer.peek(), Peeked::kEmpty);
}

TEST(Ring, FramesAreMadeOfPieces) {
  RingPair ring(kPage);
  const Payload all = pattern(300, 3);
  ASSERT_EQ(ring.producer.claim(300), Claimed::kOk);
  ring.producer.put(48, util::Bytes(all).subspan(48));
  ring.producer.put(0, util::Bytes(all).first(32));
  ring.producer.put(32, util::Bytes(all).subspan(32, 16));
  EXPECT_FALSE(ring.producer.commit());
  ASSERT_EQ(ring.consumer.peek(), Peeked::kFrame);
  ASSERT_EQ(ring.consumer.size(), 300u);
  Payload got(300);
  ring.consumer.copy(100, &got[100], 200);
  ring.consumer.copy(0, &got[0], 100);
  EXPECT_TRUE(ring.consumer.release());
  EXPECT_EQ(got, all);
}

TEST(Ring, AFrameThatIsNotReleasedIsFoundAgain) {
  RingPair ring(kPage);
  ASSERT_TRUE(ring.send(pattern(5, 1)));
  EXPECT_EQ(ring.consumer.peek(), Peeked::kFrame);
  EXPECT_TRUE(ring.consumer.stands());
  EXPECT_EQ(ring.consumer.peek(), Peeked::kFrame);
  EXPECT_EQ(ring.take(), pattern(5, 1));
}

// Where one ring is written in three steps and the other at once, as often as it lets itself, the
// memory of both is the same, byte for byte, all the time.
TEST(Ring, AtOnceIsAsInThreeSteps) {
  for (const Terms sleeper : {Terms{}, Terms{.consumer_sleeps = true}}) {
    RingPair steps(kPage, {}, sleeper);
    RingPair at_once(kPage, {}, sleeper);
    std::mt19937 random(5);
    int quick = 0;
    for (int i = 0; i < 20000; ++i) {
      const Payload payload = pattern(1 + random() % 200, i);
      const Quick put = put_quickly(at_once.producer, payload);
      quick += put != Quick::kNo;
      ASSERT_EQ(put != Quick::kNo || at_once.send(payload), steps.send(payload));
      while (random() % 3 == 0) {
        ASSERT_EQ(at_once.take(), steps.take());
        if (random() % 2 == 0) steps.publish(), at_once.publish();
      }
      ASSERT_TRUE(std::ranges::equal(steps.memory_a.span(), at_once.memory_a.span())) << i;
      ASSERT_EQ(steps.producer.acknowledged(), at_once.producer.acknowledged());
    }
    EXPECT_GT(quick, 5000);
  }
}

TEST(Ring, AtOnceTellsOfTheDoorbell) {
  RingPair ring(kPage, {}, {.consumer_sleeps = true});
  ASSERT_TRUE(ring.send(pattern(8, 1)));
  EXPECT_EQ(ring.take(), pattern(8, 1));
  ring.publish();
  ASSERT_TRUE(ring.consumer.arm());
  EXPECT_EQ(put_quickly(ring.producer, pattern(40, 2)), Quick::kPutRing);
  EXPECT_EQ(put_quickly(ring.producer, pattern(40, 3)), Quick::kPut);  // rung for already
}

// Every size at every cell of a small ring, so every way to run over its end.
TEST(Ring, EverySizeStandsEverywhere) {
  RingPair ring(5);
  for (std::size_t size = 1; size <= ring.producer.largest(); ++size) {
    for (int turn = 0; turn < 5; ++turn) {
      const Payload payload = pattern(size, turn);
      ASSERT_TRUE(ring.send(payload)) << size;
      EXPECT_EQ(joined(ring.producer.kept(ring.producer.published())), payload);
      ASSERT_EQ(ring.take(), payload) << size;
      ring.publish();
      ASSERT_TRUE(ring.send(pattern(1, 9)));  // moves on by one cell
      ASSERT_EQ(ring.take(), pattern(1, 9));
      ring.publish();
    }
  }
}

TEST(Ring, OneCellStaysUnused) {
  RingPair ring(4);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ring.send(pattern(56, i)));
  EXPECT_EQ(ring.producer.claim(1), Claimed::kFull);
  EXPECT_EQ(ring.producer.health(), Health::kFine);
}

TEST(Ring, RoomComesBackWhenThePeerSaysSo) {
  RingPair ring(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.send(pattern(56, i)));
  EXPECT_EQ(ring.take(), pattern(56, 0));
  EXPECT_EQ(ring.producer.claim(1), Claimed::kFull);
  ring.publish();
  EXPECT_EQ(ring.producer.claim(57), Claimed::kFull);
  EXPECT_EQ(ring.producer.claim(56), Claimed::kOk);
}

TEST(Ring, PublicationIsDueAtAQuarter) {
  RingPair ring(8);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(ring.send(pattern(1, i)));
    EXPECT_FALSE(ring.consumer.publish_due());
    ASSERT_EQ(ring.take(), pattern(1, i));
  }
  EXPECT_TRUE(ring.consumer.publish_due());
  EXPECT_EQ(ring.producer.refresh(), Health::kFine);
  EXPECT_EQ(ring.producer.acknowledged(), 0u);
  ring.publish();
  EXPECT_FALSE(ring.consumer.publish_due());
  EXPECT_EQ(ring.producer.refresh(), Health::kFine);
  EXPECT_EQ(ring.producer.acknowledged(), 2u);
}

TEST(Ring, KeepsWhatIsNotAcknowledged) {
  RingPair ring(8);
  std::uint64_t oldest = 1;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    const std::size_t size = 1 + number * 37 % 150;
    while (!ring.send(plausible(number, size, kEpoch))) {
      ASSERT_FALSE(ring.take().empty());
      ring.publish();
      ++oldest;
    }
    EXPECT_EQ(ring.producer.published(), number);
    ASSERT_LE(ring.producer.acknowledged() + 1, oldest);
    for (std::uint64_t kept = ring.producer.acknowledged() + 1; kept <= number; ++kept) {
      EXPECT_EQ(joined(ring.producer.kept(kept)), plausible(kept, 1 + kept * 37 % 150, kEpoch));
    }
  }
}

TEST(Ring, KeepsItsFramesWhenThePeerIsLost) {
  RingPair ring(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.send(pattern(50, i)));
  ring.memory_b.fill(std::byte{0xff});
  EXPECT_EQ(ring.producer.claim(1), Claimed::kFailed);
  EXPECT_EQ(ring.producer.health(), Health::kLost);
  EXPECT_EQ(ring.producer.acknowledged(), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(joined(ring.producer.kept(1u + i)), pattern(50, i));
}

// Old payload is never taken for a stamp, though all of it looks like one.
TEST(Ring, PlausiblePayloadIsNoStamp) {
  for (std::size_t cells = kFewestCells; cells < 9; ++cells) {
    RingPair ring(cells);
    const std::size_t largest = ring.producer.largest();
    for (std::uint64_t number = 1; number <= 5000; ++number) {
      const Payload payload = plausible(number, 1 + number * number % largest, kEpoch);
      ASSERT_TRUE(ring.send(payload));
      ASSERT_EQ(ring.take(), payload);
      ASSERT_EQ(ring.consumer.peek(), Peeked::kEmpty) << "after frame " << number;
      ring.publish();
    }
  }
}

TEST(Ring, ManyAreSeenByTheOneBehindThem) {
  RingPair ring(kPage);
  for (int lap = 0; lap < 40; ++lap) {  // also over the end
    ASSERT_TRUE(ring.send(pattern(100, lap)));
    ASSERT_EQ(ring.consumer.peek(), Peeked::kFrame);
    for (int i = 1; i < 5; ++i) {
      EXPECT_FALSE(ring.consumer.seems_ahead(4)) << lap << " " << i;
      ASSERT_TRUE(ring.send(pattern(100, lap + i)));
    }
    EXPECT_TRUE(ring.consumer.seems_ahead(4)) << lap;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ring.take(), pattern(100, lap + i));
    ring.publish();
  }
}

TEST(Ring, AQuarterOfItIsForeseen) {
  RingPair ring(kPage);
  for (const auto& [size, frames] : {std::pair{8u, 15u}, {100u, 7u}, {1000u, 0u}}) {
    ASSERT_TRUE(ring.send(pattern(size, 1)));
    ASSERT_EQ(ring.consumer.peek(), Peeked::kFrame);
    EXPECT_EQ(ring.consumer.foreseen(), frames) << size;
    EXPECT_FALSE(ring.consumer.seems_ahead(frames) && frames > 0) << size;
    EXPECT_EQ(ring.take(), pattern(size, 1));
  }
}

}  // namespace
}  // namespace xs::ring::test
