// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How soon a ring carries: endpoints of one machine meet over a network of known latency, while
// the clock that they look at stands still, as a coarse one does for milliseconds.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/machine.hpp"

namespace xs::core::test {
namespace {

using util::Nanoseconds;

constexpr Nanoseconds kPass = util::kMicrosecond / 2;    // of somebody who only looks
constexpr Nanoseconds kNever = 20 * util::kMillisecond;  // in these tests

// The seeds decide who proposes and who calls.
class JoinTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  JoinTest() {
    for (unsigned i = 0; i < 4; ++i)
      all.push_back(std::make_unique<Process>(machine, 10 * static_cast<unsigned>(GetParam()) + i));
  }
  Process& process(unsigned i) { return *all[i]; }

  // Everybody passes by turns, until it is so. How long that took.
  template <class Condition>
  Nanoseconds until(Condition&& so) {
    const Nanoseconds began = machine.network.now();
    while (!so()) {
      machine.network.set_time(machine.network.now() + kPass);
      if (machine.network.now() - began > kNever) return kNever;
      for (const auto& each : all) each->endpoint->progress();
    }
    return machine.network.now() - began;
  }
  void pass(unsigned passes) {
    until([&] { return passes-- == 0; });
  }
  Nanoseconds until_open(unsigned a, unsigned b) {
    return until(
        [&] { return process(a).open_with(process(b)) && process(b).open_with(process(a)); });
  }
  Nanoseconds until_joined(unsigned a, unsigned b) {
    return until(
        [&] { return process(a).writes_to(process(b)) && process(b).writes_to(process(a)); });
  }
  // Of that many passes, how many looked at the fabric.
  unsigned looks(Process& who, unsigned passes) {
    unsigned found = 0;
    for (unsigned i = 0; i < passes; ++i) {
      pass(1);
      found += who.endpoint->streams().looked_far();
    }
    return found;
  }

  Machine machine;
  std::vector<std::unique_ptr<Process>> all;
};

// A connection, a greeting and its answer, the proof.
TEST_P(JoinTest, session_opens_after_a_few_round_trips) {
  process(0).send(process(1));
  EXPECT_LE(until_open(0, 1), 4 * kRoundTrip);
}

// OFFER, OFFER, MAPPED; hv's part is done meanwhile.
TEST_P(JoinTest, ring_carries_two_round_trips_later) {
  process(0).send(process(1));
  ASSERT_LT(until_open(0, 1), kNever);
  EXPECT_LE(until_joined(0, 1), 2 * kRoundTrip);
}

TEST_P(JoinTest, crossing_greetings_join_as_soon) {
  process(0).send(process(1));
  process(1).send(process(0));
  ASSERT_LT(until_open(0, 1), kNever);
  EXPECT_LE(until_joined(0, 1), 2 * kRoundTrip);
}

// Who reads a ring looks at the fabric rarely, but not while somebody else is to be met.
TEST_P(JoinTest, ring_beside_a_ring_carries_as_soon) {
  process(0).send(process(1));
  ASSERT_LT(until_joined(0, 1), kNever);
  pass(20'000);
  process(2).send(process(0));
  process(0).send(process(2));
  ASSERT_LE(until_open(0, 2), 4 * kRoundTrip);
  EXPECT_LE(until_joined(0, 2), 2 * kRoundTrip);
}

// The one who is met has nothing to say.
TEST_P(JoinTest, who_is_greeted_beside_a_ring_is_no_later) {
  process(0).send(process(1));
  ASSERT_LT(until_joined(0, 1), kNever);
  process(2).send(process(0));
  ASSERT_LT(until_open(0, 2), kNever);
  EXPECT_LE(until_joined(0, 2), 2 * kRoundTrip);
}

// Looking often has its end, whether somebody answers or not.
TEST_P(JoinTest, nothing_is_looked_at_often_afterwards) {
  process(0).send(process(1));
  ASSERT_LT(until_joined(0, 1), kNever);
  pass(4096);
  EXPECT_LE(looks(process(0), 8192), 16u);
  EXPECT_LE(looks(process(1), 8192), 16u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, JoinTest, testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace xs::core::test
