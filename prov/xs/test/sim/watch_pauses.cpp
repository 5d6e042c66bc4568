// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Rules of docs/migration.md, The pause, judged after every step.
#include <algorithm>

#include "sim/watch.hpp"

namespace xs::sim {

namespace {
constexpr Nanoseconds kLooks = 20 * util::kMillisecond;  // between looks of who is awake
constexpr unsigned kSteps = 4;
}  // namespace

// M1 and M2, as far as they are not the backend's own.
void Watch::judge_pause(Process& process) {
  const FakeHv* const hv = process.hv();
  if (!hv || !process.has_endpoint()) return;
  Paused& seen = paused_[hv->number()];
  if (!hv->card().paused() || !hv->knows_pause()) {
    seen = {.told = seen.told};
    return;
  }
  const std::size_t held = machine_.held_by(hv->number()).far;
  if (seen.quiet && held > 0)
    return judge_.fail("life %lu takes what is of another VM in a pause", process.life().number);
  seen.quiet = held == 0;
  if (seen.steps++ == 0) seen.since = network_.now();
  if (!seen.quiet && seen.steps > kSteps && network_.now() - seen.since > 2 * kLooks)
    judge_.fail("life %lu holds %zu things of other VMs long after it was asked to pause",
                process.life().number, held);
}

void Watch::remember_told(const Process& process) {
  if (const FakeHv* const hv = process.hv()) paused_[hv->number()].told = hv->told();
}

// Nothing stands between them but what hv does, nobody is about to be moved, and nobody computes.
bool Watch::could_be_neighbours(const End& end, const Process* other,
                                const Session* far) const noexcept {
  if (!other || !far || !end.process.hv() || !other->hv() || end.seen.parting) return false;
  const auto free = [](const FakeHv& hv) {
    return !hv.announced() && hv.knows_pause() && !hv.moving() && !hv.dead();
  };
  const bool talk = end.session.open() && far->open() && !end.session.goodbye_sent() &&
                    !end.session.goodbye_taken() && !far->goodbye_sent() && !far->goodbye_taken();
  const bool awake = std::max(end.process.busy_until(), other->busy_until()) <= network_.now();
  return talk && awake && end.process.hv()->host() == other->hv()->host() &&
         free(*end.process.hv()) && free(*other->hv());
}

// In calm weather two that could be neighbours are, soon, and stay it if one VM is theirs.
void Watch::judge_acquaintance(const End& end, const Process* other, const Session* far,
                               const Seen& now) {
  if (!is_calm(scenario_)) return;
  const Seen& before = end.seen;
  const bool still = now.own_moves == 0 && now.moves == 0;  // a move ends what stands, too
  if (before.within_vm && still && !now.parting && far && other->hv() && !end.session.path().link)
    return judge_.fail("life %lu loses who lives in its own VM", end.process.life().number);
  if (before.apart_since == 0 || end.session.path().link || !could_be_neighbours(end, other, far))
    return;
  // What they tell each other waits behind whatever their connection carries.
  Nanoseconds quiet = 0;
  for (const Member& member : scenario_.members) quiet = std::max(quiet, member.config.quiet);
  const Nanoseconds longest =
      20 * (quiet + scenario_.habits.latency_high + scenario_.hv.delay_high + kLooks);
  if (network_.now() - before.apart_since > longest)
    judge_.fail("life %lu and life %lu live in one place, and are no neighbours",
                end.process.life().number, other->life().number);
}

// Who says for the first time that its peers know (T in its note) is right, of those that it had
// before.
void Watch::judge_told(const End& end, const Session* far) {
  const FakeHv* const hv = end.process.hv();
  if (!hv || !hv->told() || paused_[hv->number()].told) return;
  if (!far || !far->open() || !end.session.open() || !end.seen.open) return;
  if (far->peer_card() == hv::encode(hv->card())) return;
  judge_.fail("life %lu says that its peers know of the pause, and one of them does not",
              end.process.life().number);
}

void Watch::host_stops(unsigned host, Nanoseconds until) {
  stopped_host_ = host;
  returns_at_ = until;
  owed_.clear();
  for (const auto& process : processes_)
    each_session(*process, [&](const Session& session) {
      if (session.open())
        owed_[{process->life().number, session.receive_token()}] = {session.numbers().una,
                                                                    session.numbers().tail};
    });
}

// What had waited for it, or at it, is taken soon, however rarely the kernels try by then.
void Watch::judge_return(const End& end, const Process* other, const Session* far) {
  if (returns_at_ == util::kNever || scenario_.severity != Severity::kCalm || !other || !far)
    return;
  const auto host = [&](const Process& each) { return scenario_.members[each.life().member].host; };
  if ((host(end.process) == stopped_host_) == (host(*other) == stopped_host_)) return;
  if (!end.session.open() || !far->open()) return;
  const stream::StreamNumbers now = end.session.numbers();
  const Key key{end.process.life().number, end.session.receive_token()};
  if (network_.now() < returns_at_) {
    owed_[key] = {now.una, now.tail};
    return;
  }
  const auto found = owed_.find(key);  // who greets meanwhile is no old acquaintance
  if (found == owed_.end() || found->second.una == found->second.tail || found->second.taken)
    return;
  Owed& owed = found->second;
  const Nanoseconds time = network_.now() - returns_at_;
  if (now.una > owed.una) {
    owed.taken = true;
    longest_return_ = std::max(longest_return_, time);
    return;
  }
  Nanoseconds quiet = 0;
  for (const Member& member : scenario_.members) quiet = std::max(quiet, member.config.quiet);
  // A probe whose second try, after a second, comes too early ends after two, and so a connection.
  const Nanoseconds longest = 4 * util::kSecond + 10 * quiet;
  if (time > longest)
    judge_.fail("life %lu has waited for life %lu for %lu ms since that is back",
                end.process.life().number, other->life().number, time / util::kMillisecond);
}

}  // namespace xs::sim
