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
    seen = {};
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
  if (scenario_.severity != Severity::kCalm) return;
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

}  // namespace xs::sim
