// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What befalls the processes of a run and the wires between them.
#include "sim/world.hpp"

namespace xs::sim {

using util::kMillisecond;

void World::blow() {
  const Nanoseconds mean = scenario_.stormy / (scenario_.events + 1);
  next_event_ = network_.now() + 1 + dice_.below(2 * mean + 1);
  if (network_.now() - began_ > scenario_.stormy) return still();
  if (scenario_.severity == Severity::kCalm) return;
  ++tally_.faults;
  const auto what = dice_.below(10);
  if (scenario_.severity == Severity::kDeadly && what < 3) return death();
  if (what < 7) return hurt_connection();
  if (what < 9) return hurt_process();
  hurt_network();
}

// From here on nothing new goes wrong. What is dark stays dark.
void World::still() noexcept {
  judge_.trace("the storm is over");
  stormy_ = false;
  network_.habits().again_percent = 0;
  network_.habits().refuses_percent = 0;
  network_.habits().late_percent = 0;
  machine_.habits().deaf_percent = 0;
  for (FakeHv* each : machine_.backends()) each->announce(false);
  for (const auto& process : processes_) process->stop_working();
}

void World::hurt_connection() {
  const auto connections = network_.connections();
  if (connections.empty()) return;
  Connection& connection = *connections[dice_.below(connections.size())];
  const auto name = [](const End& end) { return end.name.text(); };
  const std::string who = name(connection.ends[0]) + " to " + name(connection.ends[1]);
  switch (dice_.below(8)) {
    case 0: {
      const auto knowing = static_cast<unsigned>(dice_.below(2));
      const bool dark = dice_.percent(30);
      judge_.trace("half open: %s, end %u knows%s", who.c_str(), knowing, dark ? ", dark" : "");
      return half_open(network_, connection, knowing, dark);
    }
    case 1:
      judge_.trace("dark: %s", who.c_str());
      return darken(network_, connection);
    case 2:
      judge_.trace("slow: %s", who.c_str());
      return slow_down(network_, connection, dice_.between(1, 3000) * kMillisecond);
    default:
      judge_.trace("reset: %s", who.c_str());
      return reset(network_, connection);
  }
}

void World::hurt_process() {
  Process& process = some_process();
  if (process.phase() == Phase::kOver) return;
  if (dice_.percent(40)) {
    const Nanoseconds until =
        network_.now() + dice_.between(1, dice_.percent(80) ? 50 : 15'000) * kMillisecond;
    judge_.trace("life %lu computes", process.life().number);
    return process.compute(until);
  }
  for (const auto& [address, endpoint] : network_.listeners()) {
    if (endpoint->process() != process.id()) continue;
    judge_.trace("no room at %s for a while", address.text().c_str());
    endpoint->storm(network_.now() + dice_.between(1, 60) * kMillisecond);
  }
}

void World::hurt_network() {
  switch (dice_.below(3)) {
    case 0:
      network_.habits().again_percent = static_cast<unsigned>(dice_.pick({0u, 30u, 90u}));
      return judge_.trace("%u%% again", network_.habits().again_percent);
    case 1:
      network_.habits().refuses_percent = static_cast<unsigned>(dice_.pick({0u, 50u}));
      return judge_.trace("%u%% refused", network_.habits().refuses_percent);
    default: {
      const unsigned a = dice_.pick(scenario_.members).host;
      const unsigned b = dice_.pick(scenario_.members).host;
      if (a == b) return;
      judge_.trace("hosts %u and %u can't hear each other", a, b);
      network_.part(a, b, network_.now() + dice_.between(1, 1500) * kMillisecond);
    }
  }
}

void World::death() {
  Process& process = some_process();
  if (!process.has_endpoint()) return restart();
  ++tally_.deaths;
  switch (dice_.below(5)) {
    case 0:
      return vanish_host(scenario_.members[process.life().member].host);
    case 1:
      return process.kill(false);
    default:
      process.kill(true);
  }
}

void World::vanish_host(unsigned host) {
  judge_.trace("host %u vanishes", host);
  for (const auto& [address, endpoint] : network_.listeners())
    if (FakeNetwork::host_of(address) == host) endpoint->vanish();
  network_.vanish(host);
  for (const auto& process : processes_)
    if (scenario_.members[process->life().member].host == host && process->has_endpoint())
      process->kill(true);
}

// A virtual machine that is moved, or saved, without a word, or a network that fails: what was said
// meanwhile waits in kernels that try ever more rarely.
void World::blow_on_hosts() {
  const Nanoseconds mean = scenario_.stormy / (scenario_.stops + 1);
  const Nanoseconds until = network_.now() + stop_dice_.between(2, 30) * util::kSecond;
  next_stop_ = until + 1 + stop_dice_.below(2 * mean + 1);
  if (network_.now() - began_ > scenario_.stormy) return;
  stop_host(stop_dice_.pick(scenario_.members).host, until);
}

void World::move_where_it_is(const FakeHv& place) {
  for (FakeHv* each : std::vector<FakeHv*>(machine_.backends())) {
    if (each != &place || each->dead()) continue;
    ++tally_.moves;
    const Sight seen = stop_dice_.pick({Sight::kOnes, Sight::kFrozen});
    each->move(each->host(), seen, stop_dice_.pick({Sight::kOnes, Sight::kFrozen}));
  }
}

void World::stop_host(unsigned host, Nanoseconds until) {
  judge_.trace("host %u stands still", host);
  ++tally_.stops;
  for (const Member& member : scenario_.members)
    if (member.host != host)
      network_.part(host, member.host, until, FakeNetwork::Again::kBackedOff);
  const bool moves = stop_dice_.percent(70);
  for (const auto& process : processes_) {
    if (scenario_.members[process->life().member].host != host || !process->has_endpoint())
      continue;
    process->compute(until + kMillisecond);
    if (moves && process->hv()) move_where_it_is(*process->hv());
  }
  watch_.host_stops(host, until);
}

// Somebody new at the address of somebody dead.
void World::restart() {
  for (unsigned i = 0; i < processes_.size(); ++i) {
    if (processes_[i]->has_endpoint() || !processes_[i]->life().ended) continue;
    if (network_.gone(scenario_.members[i].host)) network_.come_back(scenario_.members[i].host);
    graveyard_.push_back(std::move(processes_[i]));
    processes_[i] = std::make_unique<Process>(around_, i, dice_.next());
    processes_[i]->set_others(processes_);
    return;
  }
}

}  // namespace xs::sim
