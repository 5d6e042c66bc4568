// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// When a reader lets frames gather first.
#include "stream/distance.hpp"

#include <gtest/gtest.h>

namespace xs::stream {
namespace {

struct DistanceTest : testing::Test {
  // The peer sends `frames`, one a visit, and we answer.
  void run(unsigned frames) {
    for (unsigned i = 0; i < frames; ++i) distance.took(1, ours);
    ++ours;
  }
  std::uint32_t wanted() { return distance.streams() ? distance.wanted(ours) : 0; }

  Distance distance;
  std::uint64_t ours = 1;
};

TEST_F(DistanceTest, WhoAnswersEachFrameTakesItAtOnce) {
  for (int turn = 0; turn < 1000; ++turn) {
    EXPECT_EQ(wanted(), 0u);
    run(1);
  }
}

TEST_F(DistanceTest, SoDoesWhoWasSentAFew) {
  for (int turn = 0; turn < 100; ++turn) {
    run(7);
    EXPECT_EQ(wanted(), 0u);
  }
}

TEST_F(DistanceTest, ARunIsExpectedToBeAsLongAsTheOneBefore) {
  EXPECT_EQ(wanted(), 0u);
  run(16);
  EXPECT_EQ(wanted(), 8u);
  run(1000);
  EXPECT_EQ(wanted(), Distance::kFarthest);
  run(3);
  EXPECT_EQ(wanted(), 0u);
}

TEST_F(DistanceTest, TheEndOfARunIsNotWaitedFor) {
  run(40);
  distance.took(10, ours);
  EXPECT_EQ(wanted(), 15u);
  distance.took(22, ours);
  EXPECT_EQ(wanted(), 4u);
  distance.took(1, ours);
  EXPECT_EQ(wanted(), 0u);
}

TEST_F(DistanceTest, WhoIsNeverAnsweredGoesOn) {
  for (unsigned i = 0; i < Distance::kEndless; ++i) {
    EXPECT_EQ(wanted(), 0u) << i;
    distance.took(1, ours);
  }
  EXPECT_EQ(wanted(), Distance::kFarthest);
}

TEST_F(DistanceTest, WaitingInVainIsTriedEverMoreRarely) {
  distance.took(Distance::kEndless, ours);
  for (unsigned rest : {1u, 3u, 7u, 15u, 31u, 63u, 127u, 255u, 511u, 1023u, 1023u}) {
    ASSERT_NE(wanted(), 0u);
    distance.waited(true);
    for (unsigned i = 0; i < rest; ++i) EXPECT_EQ(wanted(), 0u) << i << " of " << rest;
  }
}

TEST_F(DistanceTest, OnceItWasWorthItItIsTriedEachTime) {
  distance.took(Distance::kEndless, ours);
  for (int i = 0; i < 3; ++i) {
    while (wanted() == 0) {
    }
    distance.waited(true);
  }
  while (wanted() == 0) {
  }
  distance.waited(false);
  EXPECT_NE(wanted(), 0u);
  distance.waited(false);
  EXPECT_NE(wanted(), 0u);
}

}  // namespace
}  // namespace xs::stream
