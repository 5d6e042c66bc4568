// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/hypervisor.hpp"

#include <algorithm>

#include "sim/fake/hv.hpp"

namespace xs::sim {

std::vector<FakeLink*> FakeHypervisor::links() const {
  std::vector<FakeLink*> all;
  for (const FakeHv* backend : backends_)
    all.insert(all.end(), backend->links().begin(), backend->links().end());
  return all;
}

void FakeHypervisor::turn_seen_by(unsigned reader, Sight sight) noexcept {
  for (FakeMapping* mapping : mappings_)
    if (mapping->reader() == reader && mapping->far()) mapping->turn(sight);
}

void FakeHypervisor::turn_owned_by(unsigned owner, Sight sight) noexcept {
  for (FakeMapping* mapping : mappings_)
    if (mapping->owner() == owner && mapping->far()) mapping->turn(sight);
}

void FakeHypervisor::keep_owned_by(unsigned owner) noexcept {
  for (FakeMapping* mapping : mappings_)
    if (mapping->owner() == owner) mapping->keep();
}

void FakeHypervisor::at_strike(std::uint64_t strikes, std::function<void()> blow) {
  blows_.push_back({strikes, std::move(blow)});
}

void FakeHypervisor::count_strike() noexcept {
  std::vector<Blow> due;
  for (Blow& each : blows_)
    if (--each.strikes == 0) due.push_back(std::move(each));
  std::erase_if(blows_, [](const Blow& each) { return each.strikes == 0; });
  for (const Blow& each : due) each.strike();
}

void FakeHypervisor::add(FakeHv& backend) {
  backends_.push_back(&backend);
  ++standing_.backends;
}

void FakeHypervisor::remove(FakeHv& backend) noexcept {
  std::erase(backends_, &backend);
  --standing_.backends;
}

void FakeHypervisor::add(FakeShare& share) {
  shares_.push_back(&share);
  ++standing_.shares;
  ++tally_.shared;
}

void FakeHypervisor::remove(FakeShare& share) noexcept {
  std::erase(shares_, &share);
  --standing_.shares;
}

FakeHypervisor::Held FakeHypervisor::held_by(unsigned number) const noexcept {
  Held held;
  for (FakeShare* share : shares_) {
    if (share->owner() != number) continue;
    ++held.shares;
    held.far += share->far();
    held.shared_bytes += share->bytes().size();
  }
  for (const FakeMapping* mapping : mappings_)
    if (mapping->reader() == number) ++held.mappings, held.far += mapping->far();
  return held;
}

void FakeHypervisor::add(FakeMapping& mapping) {
  mappings_.push_back(&mapping);
  ++standing_.mappings;
  ++tally_.mapped;
}

void FakeHypervisor::remove(FakeMapping& mapping) noexcept {
  if (observer_) observer_->closes(mapping);
  std::erase(mappings_, &mapping);
  --standing_.mappings;
}

FakeHv* FakeHypervisor::find(const hv::Id& process) const noexcept {
  for (FakeHv* backend : backends_)
    if (backend->card().process == process && !backend->dead()) return backend;
  return nullptr;
}

}  // namespace xs::sim
