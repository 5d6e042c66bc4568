// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How soon a peer is heard again that stood still for long without a word, as a VM that is moved or
// saved: docs/migration.md, "What waits after a long stop".
#include <gtest/gtest.h>

#include <memory>
#include <ranges>

#include "core/machine.hpp"

namespace xs::core::test {
namespace {

using util::kMillisecond;
using util::kSecond;

constexpr Nanoseconds kStep = kMillisecond;
constexpr Nanoseconds kStop = 30 * kSecond;
// From its return to the first frame that it takes.
constexpr Nanoseconds kSoon = kSecond;

// The seeds decide who proposes and who calls.
class ReturnTest : public testing::TestWithParam<unsigned> {
 protected:
  ReturnTest() {
    machine.hypervisor.habits().absent_high = 50 * kMillisecond;
    for (unsigned i = 0; i < 2; ++i)
      all.push_back(std::make_unique<Process>(machine, 10 * GetParam() + 1 + i));
  }
  Process& stays() { return *all[0]; }
  Process& stops() { return *all[1]; }

  void pass(bool both = true) {
    machine.network.set_time(machine.network.now() + kStep);
    machine.clock.time += kStep;
    stays().endpoint->progress();
    if (both) stops().endpoint->progress();
  }
  template <class Condition>
  bool within(Nanoseconds time, Condition&& so) {
    const Nanoseconds until = machine.network.now() + time;
    while (machine.network.now() < until) {
      if (so()) return true;
      pass();
    }
    return so();
  }
  void live_apart() {
    for (unsigned i = 0; i < 2; ++i) all[i]->hv->move(i + 1, sim::Sight::kOnes, sim::Sight::kOnes);
  }
  void acquaint() {
    stays().send(stops());
    stops().send(stays());
    within(kSecond, [] { return false; });
    ASSERT_TRUE(stays().open_with(stops()) && stops().open_with(stays()));
  }
  // Its machine is nowhere, and nobody is told.
  void stop(Nanoseconds time, bool sends) {
    const Nanoseconds until = machine.network.now() + time;
    machine.network.part(10 * GetParam() + 1, 10 * GetParam() + 2, until,
                         FakeNetwork::Again::kBackedOff);
    for (pass(false); machine.network.now() < until; pass(false))
      if (std::exchange(sends, false)) stays().send(stops());
    stops().hv->move(stops().hv->host(), sim::Sight::kOnes, sim::Sight::kOnes);
  }
  static std::uint64_t received(Process& by, Process& from) {
    const Peer& peer = *by.endpoint->peers().at(from.endpoint->name());
    return peer.fabric.received_messages + peer.ring.received_messages;
  }
  std::size_t lanes(Process& of) {
    return static_cast<std::size_t>(std::ranges::count_if(
        machine.network.listeners(),
        [&](const auto& each) { return each.first.same_host(of.endpoint->name()); }));
  }
  void expect_soon() {
    const std::uint64_t before = received(stops(), stays());
    const Nanoseconds returned = machine.network.now();
    EXPECT_TRUE(within(kStop, [&] { return received(stops(), stays()) > before; }));
    EXPECT_LE(machine.network.now() - returned, kSoon);
  }

  Machine machine;
  std::vector<std::unique_ptr<Process>> all;
};

TEST_P(ReturnTest, what_waits_for_it_comes_soon) {
  live_apart();
  acquaint();
  stop(kStop, true);
  expect_soon();
}

TEST_P(ReturnTest, what_waits_in_a_ring_comes_soon) {
  acquaint();
  ASSERT_TRUE(stays().writes_to(stops()));
  stop(kStop, true);
  expect_soon();
  EXPECT_TRUE(within(5 * kSecond, [&] { return stays().writes_to(stops()); }));
}

// As the statistics tell it.
TEST_P(ReturnTest, times_after_a_move_are_kept) {
  acquaint();
  EXPECT_EQ(stays().session_with(stops())->move_times().moves, 0u);
  stop(kStop, false);
  within(kSecond, [] { return false; });
  ASSERT_TRUE(stays().writes_to(stops()));
  for (int i = 0; i < 2; ++i) {
    stays().send(stops());
    stops().send(stays());
    within(500 * kMillisecond, [] { return false; });
  }
  for (unsigned i = 0; i < 2; ++i) {
    const stream::MoveTimes& times = all[i]->session_with(*all[1 - i])->move_times();
    EXPECT_EQ(times.moves, 1u);
    EXPECT_GE(times.ring, 900 * kMillisecond) << "when the first message was sent";
    EXPECT_LE(times.ring, 1100 * kMillisecond);
    EXPECT_EQ(times.fabric, 0u) << "nothing came so";
  }
}

TEST_P(ReturnTest, nobody_moved_and_the_network_was_away) {
  live_apart();
  acquaint();
  const Nanoseconds until = machine.network.now() + kStop;
  machine.network.part(10 * GetParam() + 1, 10 * GetParam() + 2, until,
                       FakeNetwork::Again::kBackedOff);
  stays().send(stops());
  within(kStop, [] { return false; });
  const std::uint64_t before = received(stops(), stays());
  // The kernel's answer to a probe is the first sign, and a probe sends again after a second.
  EXPECT_TRUE(within(3 * kSecond, [&] { return received(stops(), stays()) > before; }));
}

// What it says is a sign as well: its own connection works, ours is still backed off.
TEST_P(ReturnTest, nobody_moved_and_who_is_back_speaks_first) {
  live_apart();
  acquaint();
  const Nanoseconds until = machine.network.now() + kStop;
  machine.network.part(10 * GetParam() + 1, 10 * GetParam() + 2, until,
                       FakeNetwork::Again::kBackedOff);
  stays().send(stops());
  for (pass(false); machine.network.now() < until; pass(false)) continue;
  stops().send(stays());
  expect_soon();
}

// A lane costs a connection.
TEST_P(ReturnTest, nobody_takes_another_lane_for_nothing) {
  live_apart();
  acquaint();
  stop(kStop, false);
  within(10 * kSecond, [] { return false; });
  EXPECT_EQ(lanes(stays()), 1u);
  EXPECT_EQ(lanes(stops()), 1u);
}

TEST_P(ReturnTest, nobody_takes_another_lane_who_is_answered) {
  acquaint();
  for (int i = 0; i < 3; ++i) {
    stays().send(stops());
    stops().send(stays());
    stops().hv->move(stops().hv->host(), sim::Sight::kOnes, sim::Sight::kOnes);
    stays().send(stops());
    stops().send(stays());
    within(kSecond, [] { return false; });
  }
  EXPECT_EQ(lanes(stays()), 1u);
  EXPECT_EQ(lanes(stops()), 1u);
}

// On a machine so busy that it is moved again before it could answer: the next lane would come too
// late as well, and so on.
TEST_P(ReturnTest, moves_that_outrun_answers_hold_nothing_up) {
  live_apart();
  acquaint();
  auto& habits = machine.network.habits();
  habits.latency_low = habits.latency_high = 200 * kMillisecond;
  const std::uint64_t before = received(stops(), stays());
  constexpr unsigned kMoves = 100;
  for (unsigned i = 0; i < kMoves; ++i) {
    stays().send(stops());
    stops().hv->move(stops().hv->host(), sim::Sight::kOnes, sim::Sight::kOnes);
    within(150 * kMillisecond, [] { return false; });
  }
  EXPECT_GE(received(stops(), stays()) - before, kMoves * 3 / 4);
  EXPECT_LE(lanes(stays()), 5u);
  EXPECT_LE(lanes(stops()), 5u);
}

// Nobody else would ever tell.
TEST_P(ReturnTest, who_has_died_before_it_was_met_is_not_met_any_more) {
  stops().hv->lack(EMFILE, machine.network.now() + 100 * kSecond);
  acquaint();
  EXPECT_LE(machine.hypervisor.standing().links, 1u);
  all[1].reset();
  const proto::Address home = FakeNetwork::address(10 * GetParam() + 2, 7000);
  std::byte byte{};
  const struct iovec iov { &byte, 1 };
  const SendOp op{.iov = std::span(&iov, 1),
                  .to = stays().book.insert(home),
                  .tag = 1,
                  .data = 0,
                  .flags = kOpTagged,
                  .context = nullptr};
  EXPECT_EQ(stays().endpoint->send(op), Status::kOk);
  for (int i = 0; i < 10'000; ++i) pass(false);
  EXPECT_EQ(machine.hypervisor.standing().links, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReturnTest, testing::Values(1u, 2u, 3u));

}  // namespace
}  // namespace xs::core::test
