// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Announced moves: a VM is asked to pause, and then moved, saved, or left where it is.
#include <algorithm>

#include "sim/world.hpp"

namespace xs::sim {

using util::kMillisecond;
using util::kSecond;

namespace {
constexpr std::uint64_t kMostStrikes = 2000;  // looks at clocks
}

// At once, or while somebody is at work.
void World::blow_on_pauses() {
  const Nanoseconds mean = scenario_.stormy / (scenario_.pauses + 1);
  next_pause_ = network_.now() + 1 + pause_dice_.below(2 * mean + 1);
  if (network_.now() - began_ > scenario_.stormy) return;
  if (pause_dice_.percent(50)) return change_pause();
  machine_.at_strike(1 + pause_dice_.below(kMostStrikes), [this] {
    if (stormy_) change_pause();
  });
}

void World::change_pause() {
  if (machine_.backends().empty()) return;
  FakeHv& place = *pause_dice_.pick(machine_.backends());
  if (place.dead()) return;
  if (place.announced()) return end_pause(place);
  ++tally_.pauses;
  announce(place.vm(), true);
}

void World::announce(unsigned vm, bool pause) {
  judge_.trace("VM %u %s", vm,
               pause ? "is about to be moved" : "is not about to be moved any more");
  for (FakeHv* each : machine_.backends())
    if (each->vm() == vm) each->announce(pause);
}

void World::end_pause(FakeHv& place) {
  const unsigned vm = place.vm();
  const bool quiet = is_quiet(vm);
  if (quiet && pause_dice_.percent(40)) save(place);
  if (pause_dice_.percent(40)) {
    ++tally_.resumes;
    return announce(vm, false);
  }
  // What is moved although it holds something is moved as if unannounced.
  if (!quiet && !scenario_.rings_suffer) return;
  ++(quiet ? tally_.quiet_moves : tally_.forced_moves);
  const unsigned host = static_cast<unsigned>(pause_dice_.between(1, 4));
  const Sight seen = pause_dice_.pick({Sight::kOnes, Sight::kFrozen});
  const Sight shown = pause_dice_.pick({Sight::kOnes, Sight::kFrozen});
  const std::vector<FakeHv*> all = machine_.backends();
  for (FakeHv* each : all) {
    if (each->vm() != vm || each->dead()) continue;
    judge_.trace("%u moves to place %u, %s", each->number(), host,
                 quiet ? "quiet" : "though not quiet");
    ++tally_.moves;
    each->move(host, seen, shown);
  }
}

// As xsctl sees it: its processes hold nothing, nor does anybody of theirs.
bool World::is_quiet(unsigned vm) const noexcept {
  const auto lives_there = [&](unsigned number) {
    return std::ranges::any_of(machine_.backends(), [&](const FakeHv* each) {
      return each->number() == number && each->vm() == vm;
    });
  };
  const bool asked = std::ranges::all_of(machine_.backends(), [&](const FakeHv* each) {
    return each->vm() != vm || each->dead() || (each->announced() && each->knows_pause());
  });
  return asked &&
         std::ranges::none_of(machine_.mappings(),
                              [&](const FakeMapping* each) {
                                return each->far() &&
                                       (lives_there(each->owner()) || lives_there(each->reader()));
                              }) &&
         std::ranges::none_of(machine_.shares(), [&](const FakeShare* each) {
           return each->far() && lives_there(each->owner());
         });
}

// The machine is silent for longer than anybody would wait for who is not known to be paused.
void World::save(FakeHv& place) {
  if (scenario_.severity != Severity::kRough) return;
  Process* saved = nullptr;
  for (const auto& process : processes_)
    if (process->hv() == &place) saved = process.get();
  if (!saved || !saved->has_endpoint() || !all_know_of(*saved)) return;
  const unsigned host = scenario_.members[saved->life().member].host;
  const Nanoseconds until = network_.now() + pause_dice_.between(10, 30) * kSecond;
  judge_.trace("life %lu is saved", saved->life().number);
  ++tally_.saves;
  for (const Member& member : scenario_.members)
    if (member.host != host)
      network_.part(host, member.host, until, FakeNetwork::Again::kBackedOff);
  for (const auto& process : processes_)
    if (process.get() == saved) process->compute(until + kMillisecond);
}

// It has a host of its own, and whoever lives has heard of this very pause: news of the end of one
// before it may still be under way.
bool World::all_know_of(Process& paused) noexcept {
  const proto::NeighbourCard card = hv::encode(paused.hv()->card());
  const Member& home = scenario_.members[paused.life().member];
  for (const auto& process : processes_) {
    if (process.get() == &paused) continue;
    if (scenario_.members[process->life().member].host == home.host) return false;
    if (!process->has_endpoint()) continue;
    bool knows = false;
    process->endpoint().peers().for_each([&](const core::Peer& peer) {
      if (peer.home == FakeNetwork::address(home.host, home.port))
        knows = peer.session && peer.session->open() && peer.session->peer_card() == card;
    });
    if (!knows) return false;
  }
  return true;
}

}  // namespace xs::sim
