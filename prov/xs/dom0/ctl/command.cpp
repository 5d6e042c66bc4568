// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/command.hpp"

#include "dom0/ctl/failure.hpp"
#include "dom0/ctl/report.hpp"
#include "dom0/ctl/survey.hpp"

namespace xs::dom0 {

namespace {

Outcome failed(const util::Error& error) {
  const Failure failure = explain(error);
  return {failure.status, "", "xsctl: " + failure.text + '\n'};
}

}  // namespace

Outcome list(const Options& options, const OpenMachine& open) {
  auto machine = open();
  if (!machine) return failed(machine.error());
  auto seen = survey(**machine);
  if (!seen) return failed(seen.error());
  Outcome outcome;
  outcome.out = options.json ? as_json(*seen) : as_text(*seen);
  return outcome;
}

int tell(const Outcome& outcome, std::ostream& out, std::ostream& log) {
  log << outcome.log;
  out << outcome.out << std::flush;
  if (out) return outcome.status;
  log << "xsctl: the output can't be written\n";
  return kNoAnswer;
}

int change(const Options& options, const OpenMachine& open_machine, const OpenSystem& open_system,
           Console console) {
  // The system first: signals are not to end us between two changes.
  auto system = open_system();
  if (!system) return tell(failed(system.error()), console.out, console.log);
  auto machine = open_machine();
  if (!machine) return tell(failed(machine.error()), console.out, console.log);
  if (options.action == Action::kAbort) return abort_move(options, **machine, **system, console);
  if (options.action == Action::kRestore) return restore(options, **machine, **system, console);
  return move(options, **machine, **system, console);
}

}  // namespace xs::dom0
