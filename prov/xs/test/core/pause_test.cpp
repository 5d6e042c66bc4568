// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What endpoints do when the move of a VM is announced: docs/migration.md, The pause.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "core/machine.hpp"

namespace xs::core::test {
namespace {

constexpr Nanoseconds kPass = 2 * util::kMicrosecond;
constexpr unsigned kMostPasses = 20'000;

struct Ear final : PathObserver {
  void paths_refreshed() noexcept override { ++refreshed; }
  unsigned refreshed = 0;
};

// The seeds decide who proposes and who calls.
class PauseTest : public testing::TestWithParam<unsigned> {
 protected:
  PauseTest() {
    for (unsigned i = 0; i < 3; ++i)
      all.push_back(std::make_unique<Process>(machine, 10 * GetParam() + i, &ears[i]));
  }
  Process& process(unsigned i) { return *all[i]; }

  void pass_once(std::initializer_list<unsigned> who = {0, 1, 2}) {
    machine.network.set_time(machine.network.now() + kPass);
    machine.clock.time += kPass;
    for (const unsigned each : who) all[each]->endpoint->progress();
  }
  template <class Condition>
  bool until(Condition&& so) {
    for (unsigned i = 0; i < kMostPasses; ++i) {
      if (so()) return true;
      pass_once();
    }
    return false;
  }
  bool joined(unsigned a, unsigned b) {
    return process(a).writes_to(process(b)) && process(b).writes_to(process(a));
  }
  void join(unsigned a, unsigned b) {
    process(a).send(process(b));
    process(b).send(process(a));
    ASSERT_TRUE(until([&] { return joined(a, b); }));
    refreshed();
  }
  // Of another VM, and of others for it.
  std::size_t held(unsigned i) { return machine.hypervisor.held_by(process(i).hv->number()).far; }
  bool knows(unsigned a, unsigned b) {
    return process(a).session_with(process(b))->peer_card() == process(b).neighbours.card();
  }
  stream::PathCounters counters(unsigned a, unsigned b) {
    return process(a).session_with(process(b))->path_counters();
  }
  // Since the last time.
  unsigned refreshed(unsigned i = 0) {
    const unsigned count = ears[i].refreshed;
    for (Ear& each : ears) each.refreshed = 0;
    return count;
  }
  void announce(unsigned i, bool pause) { process(i).hv->announce(pause); }

  Machine machine;
  Ear ears[3];
  std::vector<std::unique_ptr<Process>> all;
};

TEST_P(PauseTest, nothing_is_held_in_a_pause) {
  join(0, 1);
  announce(0, true);
  ASSERT_TRUE(until([&] { return held(0) == 0 && held(1) == 0 && knows(1, 0); }));
  EXPECT_FALSE(process(0).neighbours.restless());
  EXPECT_TRUE(process(0).neighbours.paused());
  EXPECT_EQ(counters(0, 1).faults + counters(1, 0).faults, 0u);
  // It goes on over the fabric.
  process(0).send(process(1));
  process(1).send(process(0));
  until([] { return false; });
  EXPECT_EQ(process(0).session_with(process(1))->unacknowledged(), 0u);
  EXPECT_EQ(process(1).session_with(process(0))->unacknowledged(), 0u);
  EXPECT_EQ(held(0) + held(1), 0u);
}

TEST_P(PauseTest, whoever_announces_it_hears_when_all_peers_know) {
  join(0, 1);
  join(0, 2);
  announce(0, true);
  for (unsigned i = 0; i < 2000; ++i) pass_once({0, 1});
  EXPECT_TRUE(knows(1, 0));
  EXPECT_FALSE(process(0).hv->told()) << "one of them computes";
  EXPECT_TRUE(process(0).neighbours.untold());
  EXPECT_TRUE(until([&] { return process(0).hv->told(); }));
  EXPECT_TRUE(knows(2, 0));
  announce(0, false);
  EXPECT_TRUE(until([&] { return joined(0, 1) && joined(0, 2); }));
}

TEST_P(PauseTest, both_meet_again_afterwards) {
  join(0, 1);
  for (int round = 0; round < 3; ++round) {
    announce(round % 2, true);
    ASSERT_TRUE(until([&] { return held(0) == 0 && held(1) == 0; }));
    announce(round % 2, false);
    ASSERT_TRUE(until([&] { return joined(0, 1); })) << round;
  }
  EXPECT_EQ(counters(0, 1).faults + counters(1, 0).faults, 0u);
}

// The peer computes all the time, and finds a card that is not that of before, though it says the
// same.
TEST_P(PauseTest, who_has_heard_of_no_pause_meets_again_too) {
  join(0, 1);
  for (const unsigned long passes : {20, 2000}) {
    announce(0, true);
    for (unsigned long i = 0; i < passes; ++i) pass_once({0});
    EXPECT_EQ(held(0), 0u);
    announce(0, false);
    for (unsigned long i = 0; i < passes; ++i) pass_once({0});
    ASSERT_TRUE(until([&] { return joined(0, 1); })) << passes;
  }
}

TEST_P(PauseTest, two_at_once_meet_when_both_are_free) {
  join(0, 1);
  announce(0, true);
  announce(1, true);
  ASSERT_TRUE(until([&] { return held(0) == 0 && held(1) == 0 && knows(0, 1) && knows(1, 0); }));
  announce(0, false);
  ASSERT_TRUE(until([&] { return knows(1, 0); }));
  until([] { return false; });
  EXPECT_EQ(held(0) + held(1), 0u);
  announce(1, false);
  EXPECT_TRUE(until([&] { return joined(0, 1); }));
}

TEST_P(PauseTest, third_party_keeps_its_ring) {
  join(0, 1);
  join(1, 2);
  announce(0, true);
  ASSERT_TRUE(until([&] { return held(0) == 0 && knows(1, 0); }));
  EXPECT_TRUE(joined(1, 2));
  EXPECT_EQ(counters(1, 2).left, 0u);
}

TEST_P(PauseTest, ring_within_the_vm_stands) {
  process(0).hv->set_vm(7);
  process(1).hv->set_vm(7);
  join(0, 1);
  join(0, 2);
  for (const bool pause : {true, false}) {
    announce(0, pause);
    announce(1, pause);
    ASSERT_TRUE(until([&] { return knows(0, 1) && knows(1, 0) && knows(2, 0); }));
    until([] { return false; });
    EXPECT_TRUE(joined(0, 1)) << pause;
    EXPECT_EQ(counters(0, 1).left + counters(1, 0).left, 0u);
    EXPECT_EQ(joined(0, 2), !pause);
    EXPECT_FALSE(process(0).neighbours.restless());
  }
}

// Who comes meanwhile is met within the VM.
TEST_P(PauseTest, who_begins_within_the_vm_is_met) {
  process(0).hv->set_vm(7);
  process(1).hv->set_vm(7);
  announce(0, true);
  announce(1, true);
  for (int i = 0; i < 2000; ++i) pass_once();
  join(0, 1);
}

TEST_P(PauseTest, move_ends_it) {
  join(0, 1);
  announce(0, true);
  ASSERT_TRUE(until([&] { return held(0) == 0 && held(1) == 0; }));
  process(0).hv->move(0, sim::Sight::kOnes, sim::Sight::kOnes);
  EXPECT_TRUE(until([&] { return joined(0, 1); }));
  EXPECT_FALSE(process(0).neighbours.paused());
  EXPECT_EQ(counters(0, 1).faults + counters(1, 0).faults, 0u);
}

// The event of the domain comes with the pause and its end, and is no move.
TEST_P(PauseTest, application_is_told_once_each) {
  join(0, 1);
  for (const bool pause : {true, false}) {
    announce(0, pause);
    ASSERT_TRUE(until([&] { return knows(1, 0) && joined(0, 1) != pause; }));
    EXPECT_EQ(ears[1].refreshed, 1u) << pause;
    EXPECT_EQ(refreshed(0), 1u) << pause;
  }
  EXPECT_EQ(process(0).hv->counters().moved, 0u);
}

// Sessions that are closed live on, and hold nothing.
TEST_P(PauseTest, parted_endpoints_are_not_in_the_way) {
  join(0, 1);
  process(0).endpoint->part();
  process(1).endpoint->part();
  ASSERT_TRUE(until([&] {
    const bool one = process(0).endpoint->parted(), other = process(1).endpoint->parted();
    return one && other && held(0) + held(1) == 0;
  }));
  announce(0, true);
  ASSERT_TRUE(until([&] { return process(0).neighbours.paused(); }));
  EXPECT_FALSE(process(0).neighbours.restless());
}

INSTANTIATE_TEST_SUITE_P(Seeds, PauseTest, testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace xs::core::test
