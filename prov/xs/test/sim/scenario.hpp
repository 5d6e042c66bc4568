// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a seed stands for: who takes part, how they are set up, what befalls them.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/config.hpp"
#include "sim/fake/hypervisor.hpp"
#include "sim/fake/network.hpp"

namespace xs::sim {

enum class Severity : std::uint8_t {
  kCalm,    // delays only
  kRough,   // connections break in every way, processes compute
  kDeadly,  // processes and hosts die, and come back
};

enum class Sleep : std::uint8_t { kNever, kAlways, kLater };

struct Member {
  unsigned host;
  std::uint16_t port;
  core::Config config;
  std::size_t queue_size;
  std::optional<unsigned> place;  // the host that hv knows it on; none: it shares with nobody
  Sleep sleep;                    // of readers of rings
  std::optional<unsigned> vm;     // that it shares with others there; none: it has one of its own
  bool reads = false;             // neighbours' memory, and its own may be read
};

struct Scenario {
  Severity severity;
  std::vector<Member> members;
  Habits habits;
  util::Nanoseconds grain;   // of the clock that endpoints read
  util::Nanoseconds stormy;  // how long work, and faults, go on
  unsigned events;           // of the weather
  HvHabits hv;
  unsigned ring_events;         // of the weather, about shared memory
  bool rings_suffer;            // so that some may have faults
  unsigned pauses = 0;          // and ends of pauses: announced moves
  unsigned stops = 0;           // of a host, for long, and then it goes on
  unsigned operations;          // per process
  unsigned tags;                // how many different ones, besides the unique parts
  unsigned big_percent;         // messages of many frames
  unsigned exotic_percent;      // peek, cancel, address book, ...
  unsigned remote_percent = 0;  // of operations: on others' memory
  unsigned fence_percent = 0;   // of sends and of operations on others' memory
  bool directed;
  bool source;
  bool one_queue;           // sends and receives report to the same
  bool labelled;            // every message carries its number as CQ data
  bool reuses_ports;        // those of closed lanes are soon somebody else's
  bool wide_tags;           // tags carry the message's number above kClassBits
  util::Nanoseconds limit;  // after the storm everything must have ended by then
  bool wakeful = false;     // who would sleep looks now and then instead
  bool tight = false;       // pages are few, and divided by budgets
  bool fine = false;        // others may come between any two instructions of who falls asleep
};

Scenario scenario_of(std::uint64_t seed);
// The same, but pages are few; and in some, much goes through small rings, which grow.
Scenario tightened(Scenario scenario, std::uint64_t seed);
// The same, but nobody shares memory.
Scenario without_rings(Scenario scenario);
// Delays only, and nothing that lasts.
inline bool is_calm(const Scenario& scenario) noexcept {
  return scenario.severity == Severity::kCalm && scenario.stops == 0;
}
// The same, but nobody reaches for others' memory.
Scenario without_remote(Scenario scenario);
// The same, but nothing is fenced.
Scenario without_fences(Scenario scenario);
// The same, but nobody reads a neighbour's memory.
Scenario without_reads(Scenario scenario);
// The same, but no move is announced.
Scenario without_pauses(Scenario scenario);

}  // namespace xs::sim
