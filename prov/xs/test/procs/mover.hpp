// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Simulated VMs (docs/hv.md) that are moved while processes live in them.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "hv/simulated_vm.hpp"
#include "procs/procs.hpp"

namespace xs::test {

// What becomes of mapped memory when a VM moves.
// kAnnounced: its processes are asked to
// give up first what is not theirs alone, and given a while for that, or not.
enum class Fate { kOnes, kFrozen, kAny, kAnnounced };

// What may be logged then: who is told late reads a dead mapping or a frozen one first.
inline constexpr const char* kDeadRing = "ring left: (its memory is gone|nothing in it is taken)";

// What processes with that FI_XS_STATS counted of that path ("ring", "fabric"), when they have
// ended: the sum of a field of their statistics.
std::uint64_t sum_of(const std::filesystem::path& statistics, const std::string& path,
                     const std::string& field);

// Two VMs and what moves them: together and apart, every few milliseconds.
class Migrations {
 public:
  // rests: between two moves there are 1, 2, 4 … milliseconds, that many different times.
  explicit Migrations(Fate fate, unsigned rests = 6) : fate_(fate), rests_(rests) {}
  // For a process that shall live in VM 0 or 1.
  Environment environment(int vm) const;
  // For one that lives in neither: what it counts is in the sums all the same.
  Environment environment() const { return {{"FI_XS_STATS", statistics().string()}}; }
  std::uint64_t sum(const std::string& path, const std::string& field) const {
    return sum_of(statistics(), path, field);
  }
  // A process' body: goes on until it is told anything.
  void keep_moving(Worker& me) const;
  void bring_together() const;

 private:
  SimulatedVm vms_[2] = {SimulatedVm("A"), SimulatedVm("A")};
  std::filesystem::path statistics() const { return vms_[0].file().parent_path() / "paths"; }

  Fate fate_;
  unsigned rests_;
};

}  // namespace xs::test
