// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/scenario.hpp"

#include <utility>

#include "sim/dice.hpp"

namespace xs::sim {

namespace {

using util::kMillisecond;
using util::kSecond;

Habits habits_of(Dice& dice) {
  Habits habits;
  habits.latency_low = dice.pick({1'000ull, 10'000ull, 100'000ull});
  habits.latency_high = habits.latency_low * dice.pick({2ull, 10ull, 40ull});
  habits.socket_bytes = dice.pick({2000u, 9000u, 65536u, 1u << 20});
  habits.piece = dice.pick({300u, 1460u, 16384u});
  habits.inject_limit = dice.pick({32u, 64u, 128u, 128u, 128u, 1024u});
  habits.iov_limit = dice.pick({2u, 4u, 4u});
  habits.tcp_timeout = dice.between(3, 30) * kSecond;
  habits.connect_timeout = dice.between(1, 5) * kSecond;
  if (dice.percent(25)) {  // like ofi_rxm
    habits.rendezvous_over = dice.pick({600u, 2000u, 16384u});
    habits.send_depth = dice.pick({8u, 64u});
    habits.holds_on = false;
  }
  if (dice.percent(20)) habits.tagged_depth = dice.pick({1u, 4u, 64u});
  return habits;
}

core::Config config_of(Dice& dice) {
  core::Config config;
  config.eager = dice.pick({256u, 256u, 1000u, 4096u});
  config.window = dice.pick({8u, 8u, 16u, 64u});
  config.receive_buffers = dice.pick({2u, 4u, 16u});
  config.unexpected = dice.pick<std::size_t>({0, 600, 5000, 256u << 20});
  config.quiet = dice.pick({5ull, 20ull, 200ull}) * kMillisecond;
  config.peer_timeout = dice.between(3, 8) * kSecond;
  config.pause_timeout = 60 * kSecond;  // longer than any save, shorter than a run
  config.linger = dice.pick({100ull, 1000ull, 5000ull}) * kMillisecond;
  return config;
}

std::vector<Member> members_of(Dice& dice) {
  std::vector<Member> members;
  const auto count = static_cast<unsigned>(dice.between(2, 4));
  const auto hosts = static_cast<unsigned>(dice.between(1, count));
  const bool alike = dice.percent(60);
  for (unsigned i = 0; i < count; ++i) {
    Member member{1 + i % hosts,
                  static_cast<std::uint16_t>(5000 + i),
                  config_of(dice),
                  dice.pick<std::size_t>({4, 16, 256}),
                  {},
                  {},
                  {}};
    if (alike && i > 0) member.config = members[0].config;
    members.push_back(member);
  }
  return members;
}

constexpr std::size_t kPlentyForRings = 64u << 20;

void set_up_rings(core::Config& config, Dice& dice) {
  config.ring_size = hv::kPageSize * dice.pick({1u, 1u, 2u, 4u, 16u});
  config.ring_largest = config.ring_size * dice.pick({1u, 2u, 16u});
  config.ring_memory = dice.pick({2 * config.ring_size, 2 * config.ring_largest, kPlentyForRings});
}

// Where hv finds whom. Dice of their own: without rings a seed is the run that it always was.
void place_members(Scenario& made, Dice dice) {
  const auto together = dice.pick({0u, 1u, 1u, 1u, 2u});  // none, all, some
  const auto hosts = dice.between(2, made.members.size());
  for (Member& member : made.members) {
    if (together == 1) member.place = 1;
    if (together == 2 && dice.percent(85)) member.place = 1 + dice.below(hosts);
    member.sleep = dice.pick({Sleep::kNever, Sleep::kNever, Sleep::kAlways, Sleep::kLater});
    set_up_rings(member.config, dice);
  }
  made.hv.delay_low = dice.pick({500ull, 5'000ull, 200'000ull});
  made.hv.delay_high = made.hv.delay_low * dice.pick({2ull, 10ull, 100ull});
  made.hv.absent_high = dice.pick({1ull, 50ull, 5000ull}) * kMillisecond;
  made.hv.likeness =
      dice.pick({Likeness::kNone, Likeness::kNone, Likeness::kSilent, Likeness::kPretend});
  made.hv.bells = dice.percent(80);
  made.ring_events = made.severity == Severity::kCalm || together == 0
                         ? 0
                         : static_cast<unsigned>(dice.pick({0u, 2u, 8u, 30u}));
  made.rings_suffer = made.ring_events > 0 || made.hv.likeness == Likeness::kPretend;
  if (made.severity != Severity::kCalm) made.habits.late_percent = dice.pick({0u, 0u, 10u, 50u});
  for (const Member& member : made.members)
    made.rings_suffer = made.rings_suffer || member.config.ring_memory < kPlentyForRings;
}

// Dice of their own, too.
void plan_pauses(Scenario& made, Dice dice) {
  made.pauses = dice.pick({0u, 0u, 2u, 6u, 20u});
  if (made.pauses == 0 || !dice.percent(30)) return;
  for (Member& member : made.members)
    if (member.place == 1 && dice.percent(60)) member.vm = 1;
}

// Dice of their own, too.
void plan_reads(Scenario& made, Dice dice) {
  if (dice.percent(40)) return;
  made.hv.unread_percent = dice.pick({0u, 0u, 10u, 50u});
  const auto limit = dice.pick<std::size_t>({0, 100, 1000, 12288});
  for (Member& member : made.members) {
    member.reads = dice.percent(90);
    member.config.direct_read = limit;
  }
}

// Dice of their own. Nobody is to be given up meanwhile.
void plan_stops(Scenario& made, Dice dice) {
  if (made.severity == Severity::kDeadly) return;
  made.stops = dice.pick({0u, 0u, 0u, 1u, 2u});
  if (made.stops == 0) return;
  made.rings_suffer = true;
  for (Member& member : made.members) member.config.peer_timeout = 90 * kSecond;
}

}  // namespace

Scenario scenario_of(std::uint64_t seed) {
  Dice dice(seed * 0x9e3779b97f4a7c15u + 1);
  Scenario made{};
  made.severity = dice.pick({Severity::kCalm, Severity::kRough, Severity::kRough, Severity::kRough,
                             Severity::kDeadly, Severity::kDeadly});
  made.members = members_of(dice);
  made.habits = habits_of(dice);
  made.grain = dice.pick<Nanoseconds>({1, 1, kMillisecond, 4 * kMillisecond});
  made.stormy = dice.pick({5ull, 50ull, 500ull, 3000ull}) * kMillisecond;
  made.events =
      made.severity == Severity::kCalm ? 0 : static_cast<unsigned>(dice.pick({2u, 6u, 15u, 40u}));
  made.operations = static_cast<unsigned>(dice.pick({6u, 20u, 60u, 60u, 150u}));
  made.tags = static_cast<unsigned>(dice.pick({1u, 2u, 4u, 30u}));
  made.big_percent = dice.pick({0u, 10u, 30u, 70u});
  made.exotic_percent = dice.pick({0u, 10u, 30u});
  made.directed = dice.percent(70);
  made.source = dice.percent(70);
  made.one_queue = dice.percent(50);
  made.labelled = dice.percent(50);
  made.wide_tags = dice.percent(30);
  made.reuses_ports = dice.percent(50);
  made.habits.ports = made.reuses_ports ? 24 : 20000;
  made.limit = 600 * kSecond;
  place_members(made, Dice(seed * 0xbf58476d1ce4e5b9u + 7));
  plan_pauses(made, Dice(seed * 0x94d049bb133111ebu + 3));
  plan_stops(made, Dice(seed * 0xd6e8feb86659fd93u + 5));
  made.remote_percent = Dice(seed * 0xa0761d6478bd642fu + 9).pick({0u, 10u, 30u, 80u});
  made.fence_percent = Dice(seed * 0xe7037ed1a0b428dbu + 11).pick({0u, 3u, 10u, 30u});
  plan_reads(made, Dice(seed * 0xbb67ae8584caa73bu + 11));
  return made;
}

// Dice of their own: otherwise a seed is the run that it always was.
Scenario tightened(Scenario scenario, std::uint64_t seed) {
  Dice dice(seed * 0xe7037ed1a0b428dbu + 11);
  scenario.tight = true;
  if (!dice.percent(25)) return scenario;
  scenario.operations = 300;
  scenario.big_percent = 70;
  scenario.stormy = 3 * kSecond;  // rings are unused for long enough then, too
  for (Member& member : scenario.members) {
    member.place = 1;
    member.config.ring_size = hv::kPageSize;
    member.config.ring_largest = hv::kPageSize * dice.pick({4u, 16u});
  }
  return scenario;
}

Scenario without_rings(Scenario scenario) {
  for (Member& member : scenario.members) member.place.reset();
  scenario.ring_events = 0;
  return without_pauses(std::move(scenario));
}

Scenario without_remote(Scenario scenario) {
  scenario.remote_percent = 0;
  return scenario;
}

Scenario without_fences(Scenario scenario) {
  scenario.fence_percent = 0;
  return scenario;
}

Scenario without_reads(Scenario scenario) {
  for (Member& member : scenario.members) member.reads = false;
  return scenario;
}

Scenario without_pauses(Scenario scenario) {
  scenario.pauses = 0;
  for (Member& member : scenario.members) member.vm.reset();
  return scenario;
}

}  // namespace xs::sim
