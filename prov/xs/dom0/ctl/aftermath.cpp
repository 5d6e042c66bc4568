// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/aftermath.hpp"

#include <algorithm>

#include "dom0/ctl/pause.hpp"
#include "dom0/ctl/report.hpp"
#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

constexpr std::uint64_t kGoes = 2000;      // ms that a moved domain has to go, and
constexpr std::uint64_t kLookAgain = 100;  // ms between looks: nobody tells
constexpr std::uint64_t kQuiet = 1000;     // ms in which nobody has come

// Those of them who are not there again.
std::set<std::uint64_t> away(const Notes& notes, const Expected& expected) {
  std::set<std::uint64_t> all;
  for (const std::uint64_t process : expected.processes) {
    const auto note = notes.find(process);
    if (note == notes.end() || note->second.quiesced == expected.serial) all.insert(process);
  }
  return all;
}

std::string tell(const Guest& guest, std::size_t here, std::size_t all) {
  return std::to_string(here) + " of " + count(all, "process", "processes") + " of " +
         describe(guest) + " there again";
}

// Whether there is a time to go on waiting. Errors end it: the domain is where it is.
bool sleeps(std::uint64_t until, Board& board, System& system, Phases& phases) {
  const std::uint64_t now = system.now();
  if (now >= until || system.asked_to_end() != 0) return false;
  auto heard = board.wait(std::min(until - now, kMostSleep), system.descriptor());
  if (!heard) phases.complain(heard.error());
  return bool(heard);
}

bool is_there(Machine& machine, const Domain& domain) {
  auto found = find_domain(machine, domain.id);
  return found && *found && (*found)->uuid == domain.uuid;
}

}  // namespace

void wait_for_return(const Guest& guest, const Expected& expected, Board& board, System& system,
                     Phases& phases) {
  phases.begin("back");
  const std::uint64_t until = system.now() + expected.deadline * 1000ULL;
  const std::size_t all = expected.processes.size();
  if (auto heard = board.look_for_domains(); !heard) return void(phases.complain(heard.error()));
  std::set<std::uint64_t> missing;
  do {
    missing = away(board.of(guest.domain.id), expected);
    if (!missing.empty()) phases.say(tell(guest, all - missing.size(), all));
  } while (!missing.empty() && sleeps(until, board, system, phases));
  phases.end(tell(guest, all - missing.size(), all));
  if (system.asked_to_end() != 0) return;  // before the time was over
  std::string text;
  for (const std::uint64_t process : missing)
    text += "  process " + hex(process) + " is not there again: it may have ended\n";
  if (!text.empty()) phases.complain("after that time\n" + text);
}

void wait_for_anybody(const Guest& guest, unsigned deadline, Board& board, System& system,
                      Phases& phases) {
  phases.begin("back");
  const std::uint64_t until = system.now() + deadline * 1000ULL;
  std::size_t here = 0;
  std::uint64_t changed = system.now();
  for (bool goes_on = true; goes_on;) {
    const std::size_t before = here;
    here = board.of(guest.domain.id).size();
    const std::uint64_t now = system.now();
    if (here != before) changed = now;
    if (here > 0 && now >= changed + kQuiet) break;
    goes_on = sleeps(here > 0 ? std::min(until, changed + kQuiet) : until, board, system, phases);
  }
  phases.end(count(here, "process", "processes") + " of " + describe(guest) +
             (here == 1 ? " uses xs" : " use xs"));
}

void look_for_remains(const Guest& guest, bool forced, Machine& machine, System& system,
                      Phases& phases) {
  const std::uint64_t until = system.now() + kGoes;
  while (is_there(machine, guest.domain) && system.now() < until && system.asked_to_end() == 0)
    if (!machine.wait(kLookAgain, system.descriptor())) break;
  if (!is_there(machine, guest.domain)) {
    phases.begin("gone");
    if (forced) phases.say("nobody holds memory of " + describe(guest) + " here");
    return;
  }
  if (system.asked_to_end() != 0) return;
  auto seen = survey(machine);
  if (!seen) return void(phases.complain(seen.error()));
  for (const Zombie& zombie : seen->zombies)
    if (zombie.id == guest.domain.id)
      phases.complain("the old domain can't go:\n" + as_text(zombie, *seen));
}

}  // namespace xs::dom0
