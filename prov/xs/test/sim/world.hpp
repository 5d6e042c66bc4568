// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One run: the processes of a scenario, and the weather that they live in.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sim/process.hpp"
#include "sim/scenario.hpp"
#include "sim/watch.hpp"

namespace xs::sim {

// What runs came to, so that somebody can see that a simulation did something.
struct Tally {
  std::uint64_t messages = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t steps = 0;
  std::uint64_t faults = 0;
  std::uint64_t deaths = 0;
  std::uint64_t replayed = 0;
  // Shared memory: what hv did, and what befell it.
  FakeHypervisor::Tally hv;
  std::uint64_t moves = 0;  // of processes
  // Announced: how often a VM was asked to pause, what ended that, and saves of it meanwhile.
  std::uint64_t pauses = 0, resumes = 0, quiet_moves = 0, forced_moves = 0, saves = 0;
  // Unannounced, of hosts; and how long after that something was taken that had waited, at most.
  std::uint64_t stops = 0;
  Nanoseconds longest_return = 0;

  std::uint64_t ring_messages = 0;
  std::uint64_t joins = 0;  // these four of sessions that lived to the end
  std::uint64_t rejoins = 0;
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  std::uint64_t added = 0;
  std::uint64_t refused = 0;
  std::uint64_t fenced = 0;
  std::uint64_t held = 0;
  std::uint64_t leaves = 0;
  std::uint64_t grows = 0;    // leaves for a larger ring, of any session
  std::uint64_t vacates = 0;  // and for want of room
  std::uint64_t ring_faults = 0;

  bool saw_everything_of_rings() const noexcept;
  bool saw_everything_of_reads(bool rare) const noexcept;
  bool saw_everything_of_pauses() const noexcept;
  bool saw_everything_of_room() const noexcept { return grows > 0 && vacates > 0; }
  bool saw_everything_of_memory() const noexcept {
    return written > 0 && read > 0 && added > 0 && refused > 0;
  }
  bool saw_everything_of_fences() const noexcept { return fenced > held && held > 0; }
  void add(const Tally& other) noexcept;
  void add(const Process::Outcome& outcome) noexcept;
};

struct Mode {
  bool tracing = false;
  bool rings = true;     // else nobody shares memory
  bool pauses = true;    // else no move is announced
  bool remote = true;    // else nobody reaches for others' memory
  bool fences = true;    // else nothing is fenced
  bool reads = true;     // else nobody reads a neighbour's payloads out of its memory
  bool wakeful = false;  // who would sleep looks now and then instead
  bool tight = false;    // pages are few, and divided by budgets: sim/scenario.hpp
  bool fine = false;     // memory may be lost between any two instructions: no other build's run
};

class World final : private NetworkObserver, private FakeHypervisor::Observer, private Elsewhere {
 public:
  World(std::uint64_t seed, const Mode& mode);

  // Runs to the end, or to the first thing that is wrong: then the reason, else an empty text.
  std::string run(Tally& tally);

 private:
  void arrives(ProcessId process, Nanoseconds at) noexcept override;
  void touches(const void* at, std::size_t size, bool writes) noexcept override;
  void carried(const char* what, const proto::Address& at, const proto::Address& far, bool tagged,
               std::span<const std::byte> bytes) noexcept override;
  void watch_rings(const char* what, util::Bytes bytes) noexcept;
  void stopped(const proto::Address& at) noexcept override;
  void misused(const char* what) noexcept override;
  void stirs(ProcessId process, Nanoseconds at) noexcept override { arrives(process, at); }
  void closes(FakeMapping& mapping) noexcept override { watch_.mapping_closes(mapping); }
  void meanwhile(const Process& process) noexcept override;
  void step(Process& process);

  void turn();
  bool over() const noexcept;
  void look_at_phases();
  std::string who_hangs() const;

  // ---- Weather ----
  void blow();
  void still() noexcept;
  void hurt_connection();
  void hurt_process();
  void hurt_network();
  void death();
  void vanish_host(unsigned host);
  void restart();
  void blow_on_rings();
  void hurt_rings();
  void hurt_place(FakeHv& place);
  void hurt_mapping();
  void move_process(FakeHv& place);
  void tighten(FakeHv& place);
  void blow_on_pauses();
  void change_pause();
  void announce(unsigned vm, bool pause);
  void end_pause(FakeHv& place);
  void blow_on_hosts();
  void stop_host(unsigned host, Nanoseconds until);
  void move_where_it_is(const FakeHv& place);
  bool is_quiet(unsigned vm) const noexcept;
  void save(FakeHv& place);
  bool all_know_of(Process& paused) noexcept;
  Process& some_process() { return *processes_[dice_.below(processes_.size())]; }

  Mode mode_;
  Scenario scenario_;
  Dice dice_;
  FakeNetwork network_;
  Judge judge_;
  Ledger ledger_;
  Arena arena_;
  FakeHypervisor machine_;
  Surroundings around_;
  std::vector<std::unique_ptr<Process>> processes_;  // by member
  std::vector<std::unique_ptr<Process>> graveyard_;  // processes outlive their endpoints, perhaps
  Watch watch_;
  Nanoseconds began_;
  Nanoseconds next_event_;
  Dice ring_dice_;
  Nanoseconds next_ring_event_;
  Dice pause_dice_;
  Nanoseconds next_pause_ = util::kNever;
  Dice stop_dice_;
  Nanoseconds next_stop_ = util::kNever;
  bool stormy_ = true;
  bool inside_ = false;     // somebody runs in the middle of somebody else's step
  bool disturbed_ = false;  // somebody has run so in this one
  Tally tally_;
};

}  // namespace xs::sim
