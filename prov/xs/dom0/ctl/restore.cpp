// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <algorithm>

#include "dom0/ctl/aftermath.hpp"
#include "dom0/ctl/move.hpp"
#include "dom0/ctl/request.hpp"
#include "dom0/ctl/text.hpp"
#include "dom0/ctl/xl.hpp"

namespace xs::dom0 {

namespace {

// Which domain xl has made of the file it does not say: one that was not there before.
void look_for_new(const std::vector<Domain>& before, const Options& options, Machine& machine,
                  System& system, Phases& phases) {
  auto after = machine.domains();
  if (!after) return void(phases.complain(after.error()));
  for (const Domain& domain : *after) {
    const bool is_new = std::none_of(before.begin(), before.end(),
                                     [&](const Domain& each) { return each.id == domain.id; });
    const bool runs = domain.state == State::kRunning || domain.state == State::kBlocked;
    if (!is_new || !runs) continue;
    Board board(machine);
    if (auto begun = board.begin(); !begun) return void(phases.complain(begun.error()));
    wait_for_anybody(guest_of(machine, domain), options.deadline, board, system, phases);
  }
}

}  // namespace

int restore(const Options& options, Machine& machine, System& system, Console console) {
  Phases phases(system, console);
  auto before = machine.domains();
  if (!before) return phases.complain(before.error());
  if (const int status = look_for_xl(system, phases)) return status;
  std::vector<std::string> words{"restore"};
  words.insert(words.end(), options.to_xl.begin(), options.to_xl.end());
  words.push_back(options.where);
  const int status = run_xl(words, system, phases);
  if (status == kDone) look_for_new(*before, options, machine, system, phases);
  phases.sum_up();
  return status;
}

int abort_move(const Options& options, Machine& machine, System& system, Console console) {
  Phases phases(system, console);
  auto guest = find_guest(machine, options.domain);
  if (!guest) return phases.complain(guest.error(), options.domain);
  auto standing = read_request(machine, guest->domain.id);
  if (!standing && standing.error().code != ENOENT) return phases.complain(standing.error());
  phases.begin("abort");
  if (!standing) {
    phases.say(describe(*guest) + " isn't asked to pause: there is nothing to take back");
    return kDone;
  }
  const auto request = parse_request(*standing);
  if (!options.force && request && system.is_one_of_us(request->pid)) {
    phases.complain(describe(*guest) + " is asked to pause " + describe_asker(*standing, system) +
                    ".\nIf that is asked to end (kill " + std::to_string(request->pid) +
                    ") it takes its request back itself; see --force\n");
    return kBusy;
  }
  auto taken = take_back(machine, guest->domain.id, *standing);
  if (!taken) return phases.complain(taken.error());
  phases.say("the processes of " + describe(*guest) + " may have rings again" +
             (*taken ? "" : ": somebody else was faster"));
  return kDone;
}

}  // namespace xs::dom0
