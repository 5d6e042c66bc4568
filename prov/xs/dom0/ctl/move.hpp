// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xsctl migrate, save, restore and abort (docs/migration.md, "In dom0").
#pragma once
#include <ostream>

#include "dom0/ctl/machine.hpp"
#include "dom0/ctl/options.hpp"
#include "dom0/ctl/system.hpp"

namespace xs::dom0 {

// Where progress goes, and where complaints do.
struct Console {
  std::ostream& out;
  std::ostream& log;
};

// Each gives the exit status.
int move(const Options& options, Machine& machine, System& system, Console console);
int restore(const Options& options, Machine& machine, System& system, Console console);
int abort_move(const Options& options, Machine& machine, System& system, Console console);

}  // namespace xs::dom0
