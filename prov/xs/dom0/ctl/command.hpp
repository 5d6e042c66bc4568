// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "dom0/ctl/machine.hpp"

namespace xs::dom0 {

// Exit statuses.
inline constexpr int kDone = 0;
inline constexpr int kUsage = 2;
inline constexpr int kCannot = 3;    // no Xen, not dom0, no rights
inline constexpr int kNoAnswer = 4;  // of the hypervisor or the store

struct Options {
  bool list = false;  // else there is only `text` to be shown
  bool json = false;
  unsigned seconds = 10;  // until it is given up
  std::string text;
  int status = kDone;
};
// The words after the program's name.
Options parse(const std::vector<std::string>& words);

struct Outcome {
  int status = kDone;
  std::string out;
  std::string log;
};
// Asks the machine, and is done with it: whoever reads the outcome may take his time.
Outcome list(const Options& options, const OpenMachine& open);
// The exit status, which is another one if this can't be written.
int tell(const Outcome& outcome, std::ostream& out, std::ostream& log);

}  // namespace xs::dom0
