// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "explore.hpp"

#include <cstdint>

#include "model_test.hpp"

namespace xs::model {
namespace {

// Counts to `last`; nine is forbidden. At two, a fault may lead it astray, and only another fault
// leads back.
struct Counter {
  struct State {
    std::uint8_t count;
    bool astray;
  };
  std::uint8_t last;
  bool may_stray;

  State initial() const { return {}; }
  bool complete(const State& state) const { return state.count == last && !state.astray; }
  static const char* broken(const State& state) { return state.count == 9 ? "nine" : ""; }
  void steps(const State& state, Steps<State>& out) const {
    const State onward{static_cast<std::uint8_t>(state.count + 1), false};
    if (state.count < last && !state.astray) out.protocol("count", onward);
    if (state.astray) out.fault("find back", {state.count, false});
    if (may_stray && state.count == 2) out.fault("go astray", {state.count, true});
  }
};

TEST(Explore, SeesEachStateOnce) {
  const Report report = explored(Counter{.last = 5, .may_stray = false});
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.states, 6U);
  EXPECT_EQ(report.steps, 5U);
}

TEST(Explore, StopsAtTheShortestWayToABrokenInvariant) {
  const Report report = explored(Counter{.last = 20, .may_stray = false});
  EXPECT_STREQ(report.broken, "nine");
  EXPECT_EQ(report.trace.size(), 9U);
}

TEST(Explore, CallsAStateStuckThatOnlyAFaultLeaves) {
  const Report report = explored(Counter{.last = 5, .may_stray = true});
  EXPECT_EQ(report.stuck, 1U);
  EXPECT_STREQ(report.trace.back(), "go astray");
}

TEST(Explore, CutsQueuesToEqualBytes) {
  Queue<std::uint8_t, 3> queue{};
  queue.push(1);
  queue.push(2);
  queue.push(3);
  EXPECT_EQ(queue.take(1), 2);
  EXPECT_TRUE(queue.holds(3));
  queue.cut(1);
  Queue<std::uint8_t, 3> fresh{};
  fresh.push(1);
  EXPECT_EQ(std::memcmp(&queue, &fresh, sizeof queue), 0);
}

}  // namespace
}  // namespace xs::model
