// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/world.hpp"

#include <algorithm>

namespace xs::sim {

namespace {
constexpr std::uint64_t kMostSteps = 3'000'000;

// For the trace: what the sender claims, unchecked.
std::optional<proto::Prefix> prefix_of(std::span<const std::byte> bytes) noexcept {
  const std::byte* from = bytes.data();
  return proto::Prefix{.kind = util::load<proto::Kind>(from),
                       .flags = util::load<std::uint8_t>(from + 1),
                       .length = util::load<std::uint32_t>(from + 4),
                       .token = util::load<std::uint64_t>(from + 8),
                       .seq = util::load<std::uint64_t>(from + 16),
                       .ack = util::load<std::uint64_t>(from + 24)};
}

Scenario scenario_for(std::uint64_t seed, const Mode& mode) {
  Scenario made = scenario_of(seed);
  if (mode.tight) made = tightened(std::move(made), seed);
  if (!mode.rings) made = without_rings(std::move(made));
  if (!mode.pauses) made = without_pauses(std::move(made));
  if (!mode.remote) made = without_remote(std::move(made));
  if (!mode.reads) made = without_reads(std::move(made));
  return mode.fences ? made : without_fences(std::move(made));
}
}  // namespace

World::World(std::uint64_t seed, const Mode& mode)
    : mode_(mode),
      scenario_(scenario_for(seed, mode)),
      dice_(seed ^ 0x5ca1ab1e),
      network_(scenario_.habits, dice_.next(), *this),
      judge_(network_, mode.tracing),
      ledger_(judge_, static_cast<unsigned>(scenario_.members.size())),
      arena_(judge_),
      machine_(network_, scenario_.hv, seed ^ 0x41195, this),
      around_{scenario_, network_, judge_, ledger_, arena_, machine_, *this},
      watch_(judge_, scenario_, network_, machine_, processes_),
      began_(network_.now()),
      next_event_(began_ + dice_.below(scenario_.stormy / (scenario_.events + 1) + 1)),
      ring_dice_(seed ^ 0x51d3),
      next_ring_event_(util::kNever),
      pause_dice_(seed ^ 0xa117),
      stop_dice_(seed ^ 0x570b) {
  scenario_.wakeful = mode.wakeful;
  if (mode.wakeful) network_.habits().late_percent = 0;  // older than that
  scenario_.fine = mode.fine;
  if (scenario_.ring_events > 0)
    next_ring_event_ =
        began_ + ring_dice_.below(scenario_.stormy / (scenario_.ring_events + 1) + 1);
  if (scenario_.pauses > 0)
    next_pause_ = began_ + pause_dice_.below(scenario_.stormy / (scenario_.pauses + 1) + 1);
  if (scenario_.stops > 0)
    next_stop_ = began_ + stop_dice_.below(scenario_.stormy / (scenario_.stops + 1) + 1);
  for (unsigned i = 0; i < scenario_.members.size(); ++i)
    processes_.push_back(std::make_unique<Process>(around_, i, dice_.next()));
  for (const auto& process : processes_) process->set_others(processes_);
}

std::string World::run(Tally& tally) {
  while (!judge_.failed() && !over()) {
    if (++tally_.steps > kMostSteps || network_.now() - began_ > scenario_.stormy + scenario_.limit)
      judge_.fail("no end: %s", who_hangs().c_str());
    else
      turn();
  }
  for (const auto& process : processes_)
    if (process->has_endpoint()) process->kill(true);
  for (const auto* all : {&processes_, &graveyard_})
    for (const auto& process : *all) tally_.add(process->outcome());
  if (!judge_.failed()) ledger_.check_order();
  if (!judge_.failed()) arena_.inspect();
  tally_.messages = ledger_.messages();
  tally_.deliveries = ledger_.deliveries();
  tally_.hv = machine_.tally();
  tally_.longest_return = watch_.longest_return();
  tally_.grows = watch_.leaves().to_grow;
  tally_.vacates = watch_.leaves().for_room;
  tally.add(tally_);
  // One by one: those who are left hear of it.
  for (auto* all : {&processes_, &graveyard_})
    for (auto& process : *all) process.reset();
  if (machine_.standing() != FakeHypervisor::Standing{})
    judge_.fail("left behind: %zu backends, %zu links, %zu shares, %zu mappings",
                machine_.standing().backends, machine_.standing().links, machine_.standing().shares,
                machine_.standing().mappings);
  return judge_.reason();
}

bool Tally::saw_everything_of_rings() const noexcept {
  return ring_messages > 0 && joins > 0 && rejoins > 0 && leaves > 0 && ring_faults > 0 &&
         moves > 0 && hv.rung > 0 && hv.refused > 0 && hv.lost > 0 && hv.turned > 0 &&
         hv.sprung > 0;
}

bool Tally::saw_everything_of_reads(bool rare) const noexcept {
  return hv.read > 0 && hv.unread > 0 && (hv.late > 0 || !rare);
}

bool Tally::saw_everything_of_pauses() const noexcept {
  return pauses > 0 && resumes > 0 && quiet_moves > 0 && forced_moves > 0 && saves > 0;
}

void Tally::add(const Process::Outcome& outcome) noexcept {
  replayed += outcome.replayed;
  ring_messages += outcome.ring_messages;
  joins += outcome.paths.joined;
  rejoins += outcome.rejoins;
  written += outcome.written;
  read += outcome.read;
  added += outcome.added;
  refused += outcome.refused;
  fenced += outcome.fenced;
  held += outcome.held;
  leaves += outcome.paths.left;
  ring_faults += outcome.paths.faults;
}

void Tally::add(const Tally& other) noexcept {
  messages += other.messages;
  deliveries += other.deliveries;
  steps += other.steps;
  faults += other.faults;
  deaths += other.deaths;
  replayed += other.replayed;
  moves += other.moves;
  pauses += other.pauses;
  resumes += other.resumes;
  quiet_moves += other.quiet_moves;
  forced_moves += other.forced_moves;
  saves += other.saves;
  stops += other.stops;
  longest_return = std::max(longest_return, other.longest_return);
  ring_messages += other.ring_messages;
  joins += other.joins;
  rejoins += other.rejoins;
  written += other.written;
  read += other.read;
  added += other.added;
  refused += other.refused;
  fenced += other.fenced;
  held += other.held;
  leaves += other.leaves;
  grows += other.grows;
  vacates += other.vacates;
  ring_faults += other.ring_faults;
  hv.opened += other.hv.opened;
  hv.shared += other.hv.shared;
  hv.mapped += other.hv.mapped;
  hv.rung += other.hv.rung;
  hv.refused += other.hv.refused;
  hv.lost += other.hv.lost;
  hv.turned += other.hv.turned;
  hv.sprung += other.hv.sprung;
  hv.read += other.hv.read;
  hv.late += other.hv.late;
  hv.unread += other.hv.unread;
}

// Whoever is next: a process, or the weather.
void World::turn() {
  Process* next = nullptr;
  for (const auto& process : processes_)
    if (!next || process->next_step() < next->next_step()) next = process.get();
  const Nanoseconds event = std::min({next_event_, next_ring_event_, next_pause_, next_stop_});
  if (stormy_ && event < next->next_step()) {
    network_.set_time(std::max(network_.now(), event));
    if (next_stop_ == event) return blow_on_hosts();
    if (next_pause_ == event) return blow_on_pauses();
    return next_ring_event_ < next_event_ ? blow_on_rings() : blow();
  }
  if (next->next_step() == util::kNever) return judge_.fail("nobody has anything to do");
  network_.set_time(std::max(network_.now(), next->next_step()));
  disturbed_ = false;
  step(*next);
  look_at_phases();
}

void World::step(Process& process) {
  watch_.begins_step();
  process.step();
  watch_.stepped(process, disturbed_);
}

bool World::over() const noexcept {
  return !stormy_ && std::all_of(processes_.begin(), processes_.end(), [](const auto& process) {
    return process->phase() == Phase::kOver;
  });
}

// The storm ends when its time is up; then work stops, and when it has, what exists is to come.
void World::look_at_phases() {
  if (stormy_ && network_.now() - began_ > scenario_.stormy) still();
  if (stormy_) return;
  const bool working = std::any_of(processes_.begin(), processes_.end(), [](const auto& process) {
    return process->phase() == Phase::kWorking;
  });
  if (working) return;
  for (const auto& process : processes_) process->settle();
}

std::string World::who_hangs() const {
  std::string text;
  for (const auto& process : processes_)
    if (process->phase() != Phase::kOver) text += (text.empty() ? "" : "; ") + process->state();
  return text;
}

void World::arrives(ProcessId process, Nanoseconds at) noexcept {
  if (at == util::kNever) return;
  for (const auto& each : processes_)
    if (each && each->id() == process) each->wake(at);
}

void World::meanwhile(const Process& process) noexcept {
  Process& other = some_process();
  if (inside_ || &other == &process || !other.awake()) return;
  inside_ = true;
  judge_.trace("meanwhile life %lu", other.life().number);
  step(other);
  inside_ = false;
  disturbed_ = true;
}

void World::touches(const void* at, std::size_t size, bool writes) noexcept {
  arena_.touched(at, size, writes);
}

void World::watch_rings(const char* what, util::Bytes bytes) noexcept {
  if (bytes.size() < proto::kPrefixSize) {
    if (*what == 'r') watch_.hears(Watch::kAnyToken, Watch::kAnyEpoch, proto::Kind::kLeft);
    return;
  }
  const auto kind = util::load<proto::Kind>(bytes.data());
  if (kind != proto::Kind::kOffer && kind != proto::Kind::kLeft) return;
  // A frame may travel in pieces: then its epoch, or all of it, is not known.
  const bool told = bytes.size() >= proto::kPrefixSize + proto::Left::kSize;
  const std::byte* const body = bytes.data() + proto::kPrefixSize;
  const std::uint64_t epoch = told ? util::load<std::uint64_t>(body) : Watch::kAnyEpoch;
  const bool answers = told && util::load<std::uint32_t>(body + 8) != 0;
  if (*what == 'r')
    watch_.hears(util::load<std::uint64_t>(bytes.data() + 8), epoch, kind);
  else if (kind == proto::Kind::kLeft && !answers)
    watch_.says_left(epoch);
}

void World::carried(const char* what, const proto::Address& at, const proto::Address& far,
                    bool tagged, std::span<const std::byte> bytes) noexcept {
  if (!tagged) watch_rings(what, bytes);
  if (!judge_.tracing()) return;
  const auto frame = bytes.size() < proto::kPrefixSize ? std::nullopt : prefix_of(bytes);
  if (tagged || !frame)
    return judge_.trace("  %u %s %s %u", at.port, what, tagged ? "bulk" : "bytes", far.port);
  judge_.trace("  %u %s kind %u seq %lu ack %lu flags %x token %lx, %u: %u bytes", at.port, what,
               static_cast<unsigned>(frame->kind), frame->seq, frame->ack, frame->flags,
               frame->token >> 48, far.port, frame->length);
}

// A transfer for somebody dead may reach his successor, or whoever has the port of a lane now.
void World::stopped(const proto::Address& at) noexcept {
  if (tally_.deaths > 0 || scenario_.reuses_ports) return;
  judge_.fail("a bulk message stops what comes to %s", at.text().c_str());
}

void World::misused(const char* what) noexcept {
  judge_.fail("the inner provider is misused: %s", what);
}

}  // namespace xs::sim
