// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/connections.hpp"

#include <algorithm>

#include "sim/fake/connection.hpp"

namespace xs::sim {

using util::kMillisecond;

namespace {
constexpr std::uint64_t kMostSteps = 1'000'000;
// Who looks at a held probe does so for 120 s.
constexpr Nanoseconds kFarewell = 200 * util::kSecond;  // until listeners know who has gone
constexpr Nanoseconds kLimit = 400 * util::kSecond;     // after the storm everything has ended

// Those of other simulations, with less of what takes long.
Scenario scenario_for(std::uint64_t seed) {
  Scenario made = without_remote(without_pauses(scenario_of(seed)));
  Dice dice(seed * 0xe7037ed1a0b428dbu + 11);
  made.stops = 0;
  for (Member& member : made.members) {
    member.config.peer_timeout = dice.between(2, 4) * util::kSecond;
    member.config.linger = dice.pick({100u, 1000u}) * kMillisecond;
  }
  made.stormy = dice.between(100, 1500) * kMillisecond;
  made.events = dice.pick({3u, 10u, 30u});
  made.habits.ports = dice.pick({12u, 12u, 20000u});
  return made;
}
}  // namespace

Connections::Connections(std::uint64_t seed, bool tracing)
    : scenario_(scenario_for(seed)),
      dice_(seed ^ 0xc0ffee),
      network_(scenario_.habits, dice_.next(), *this),
      judge_(network_, tracing),
      machine_(network_, scenario_.hv, seed ^ 0x41195, this),
      attempts_(judge_),
      scene_{scenario_, network_, machine_, judge_, attempts_},
      parties_(scenario_.members.size()),
      began_(network_.now()),
      next_event_(began_ + dice_.below(scenario_.stormy / (scenario_.events + 1) + 1)) {
  for (unsigned member = 0; member < parties_.size(); ++member) begin_party(member);
}

Connections::~Connections() = default;

void Connections::begin_party(unsigned member) {
  parties_[member] = std::make_unique<Party>(scene_, member, ++lives_, dice_.next());
  if (!stormy_) parties_[member]->settle();
}

template <class F>
bool Connections::all(F&& holds) const {
  return std::ranges::all_of(parties_, [&](const auto& party) { return holds(*party); });
}

std::string Connections::run(ConnectTally& tally) {
  const auto over = [&] { return all([](const Party& each) { return each.over(); }); };
  while (!judge_.failed() && !over()) {
    if (++tally_.steps > kMostSteps || network_.now() - began_ > scenario_.stormy + kLimit)
      judge_.fail("no end: %s", who_hangs().c_str());
    else
      turn();
  }
  if (!judge_.failed()) attempts_.judge_end();
  for (auto* some : {&parties_, &graveyard_})
    for (auto& party : *some) {
      if (!party->dead()) party->kill();
      tally_.joined += party->joined();
      tally_.by_ring += party->by_ring();
      party.reset();
    }
  const auto& left = machine_.standing();
  if (!judge_.failed() && left != FakeHypervisor::Standing{})
    judge_.fail("left behind: %zu backends, %zu links, %zu shares, %zu mappings", left.backends,
                left.links, left.shares, left.mappings);
  if (!judge_.failed() && !network_.listeners().empty()) judge_.fail("somebody still listens");
  tally_.attempts = attempts_.count();
  tally.add(tally_);
  return judge_.reason();
}

// Whoever is next: a process, or the weather.
void Connections::turn() {
  Party* next = nullptr;
  for (const auto& party : parties_)
    if (!next || party->next_step() < next->next_step()) next = party.get();
  if (stormy_ && next_event_ < next->next_step()) {
    network_.set_time(std::max(network_.now(), next_event_));
    return blow();
  }
  if (next->next_step() == util::kNever) return judge_.fail("nobody has anything to do");
  network_.set_time(std::max(network_.now(), next->next_step()));
  next->step();
  look_at_phases();
}

// When the storm is over, what has begun ends; then nobody listens any more.
void Connections::look_at_phases() {
  if (stormy_ && network_.now() - began_ > scenario_.stormy) still();
  if (stormy_ || !all([](const Party& each) { return each.dead() || each.idle(); })) return;
  if (still_known()) return;
  for (const auto& party : parties_)
    if (!party->dead()) party->leave();
}

// Whether a listener has yet to find out that somebody has gone: the word of it may have been lost.
bool Connections::still_known() {
  if (idle_since_ == 0) idle_since_ = network_.now();
  std::string who;
  for (const auto& party : parties_) who += party->remembers();
  if (who.empty() || !scene_.calm()) return false;
  if (network_.now() - idle_since_ > kFarewell) judge_.fail("a listener remembers %s", who.c_str());
  return true;
}

std::string Connections::who_hangs() const {
  std::string text;
  for (const auto& party : parties_)
    if (!party->over()) text += (text.empty() ? "" : "; ") + party->state();
  return text;
}

// ---- The network tells ----

void Connections::arrives(ProcessId process, Nanoseconds at) noexcept {
  if (at == util::kNever) return;
  for (const auto& party : parties_)
    if (party && party->life() == process) party->wake(at);
}

void Connections::carried(const char* what, const proto::Address& at, const proto::Address& far,
                          bool tagged, std::span<const std::byte> bytes) noexcept {
  if (!judge_.tracing()) return;
  const int kind = tagged || bytes.empty() ? -1 : std::to_integer<int>(bytes[0]);
  judge_.trace("  %s %s %s, kind %d, %zu bytes", at.text().c_str(), what, far.text().c_str(), kind,
               bytes.size());
}

void Connections::misused(const char* what) noexcept {
  judge_.fail("the inner provider is misused: %s", what);
}

// ---- The weather ----

void Connections::blow() {
  const Nanoseconds mean = scenario_.stormy / (scenario_.events + 1);
  next_event_ = network_.now() + 1 + dice_.below(2 * mean + 1);
  if (scene_.calm()) return;
  ++tally_.faults;
  const auto what = dice_.below(10);
  if (scenario_.severity == Severity::kDeadly && what < 3) return kill_or_begin();
  if (what < 6) return hurt_connection();
  if (what < 8) return hurt_rings();
  hurt_host();
}

void Connections::still() noexcept {
  judge_.trace("the storm is over");
  stormy_ = false;
  network_.habits().again_percent = 0;
  network_.habits().late_percent = 0;
  machine_.habits().deaf_percent = 0;
  for (const auto& party : parties_) party->settle();
}

void Connections::hurt_connection() {
  const auto connections = network_.connections();
  if (connections.empty()) return;
  Connection& connection = *connections[dice_.below(connections.size())];
  judge_.trace("hurt: %s to %s", connection.ends[0].name.text().c_str(),
               connection.ends[1].name.text().c_str());
  switch (dice_.below(8)) {
    case 0:
      return half_open(network_, connection, static_cast<unsigned>(dice_.below(2)),
                       dice_.percent(30));
    case 1:
      return darken(network_, connection);
    case 2:
      return slow_down(network_, connection, dice_.between(1, 1000) * kMillisecond);
    default:
      return reset(network_, connection);
  }
}

void Connections::hurt_host() {
  Party& party = *dice_.pick(parties_);
  if (party.dead()) return;
  switch (dice_.below(3)) {
    case 0: {
      network_.habits().again_percent = static_cast<unsigned>(dice_.pick({0u, 30u, 90u}));
      return judge_.trace("%u%% again", network_.habits().again_percent);
    }
    case 1: {
      const unsigned a = dice_.pick(scenario_.members).host;
      const unsigned b = dice_.pick(scenario_.members).host;
      if (a == b) return;
      judge_.trace("hosts %u and %u can't hear each other", a, b);
      return network_.part(a, b, network_.now() + dice_.between(1, 1500) * kMillisecond);
    }
    default:
      judge_.trace("life %lu computes", party.life());
      party.compute(network_.now() +
                    dice_.between(1, dice_.percent(80) ? 50 : 9'000) * kMillisecond);
  }
}

// kill -9, or somebody new at the address of somebody dead.
void Connections::kill_or_begin() {
  const auto member = static_cast<unsigned>(dice_.below(parties_.size()));
  if (!parties_[member]->dead()) {
    ++tally_.deaths;
    return parties_[member]->kill();
  }
  graveyard_.push_back(std::move(parties_[member]));
  begin_party(member);
}

void Connections::hurt_rings() {
  FakeHv* const place = dice_.pick(parties_)->hv();
  if (!place) return;
  if (dice_.percent(50) && !place->links().empty()) {
    judge_.trace("%u loses a link", place->number());
    return dice_.pick(place->links())
        ->lose(dice_.pick({hv::Loss::kGone, hv::Loss::kFault, hv::Loss::kMoved}));
  }
  ++tally_.moves;
  judge_.trace("%u moves", place->number());
  place->move(static_cast<unsigned>(dice_.between(1, 2)),
              dice_.pick({Sight::kOnes, Sight::kFrozen}),
              dice_.pick({Sight::kOnes, Sight::kFrozen}));
}

void ConnectTally::add(const ConnectTally& other) noexcept {
  attempts.attempts += other.attempts.attempts;
  attempts.connected += other.attempts.connected;
  attempts.failed += other.attempts.failed;
  attempts.over += other.attempts.over;
  attempts.heard += other.attempts.heard;
  steps += other.steps;
  deaths += other.deaths;
  joined += other.joined;
  by_ring += other.by_ring;
  moves += other.moves;
  faults += other.faults;
}

}  // namespace xs::sim
