// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <ostream>
#include <string>

#include "dom0/ctl/machine.hpp"
#include "dom0/ctl/move.hpp"
#include "dom0/ctl/options.hpp"
#include "dom0/ctl/system.hpp"

namespace xs::dom0 {

struct Outcome {
  int status = kDone;
  std::string out;
  std::string log;
};
// Asks the machine, and is done with it: whoever reads the outcome may take his time.
Outcome list(const Options& options, const OpenMachine& open);
// The exit status, which is another one if this can't be written.
int tell(const Outcome& outcome, std::ostream& out, std::ostream& log);

// A command that changes something, and says as it goes what it does. The exit status.
int change(const Options& options, const OpenMachine& machine, const OpenSystem& system,
           Console console);

}  // namespace xs::dom0
