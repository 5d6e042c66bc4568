// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dom0/ctl/status.hpp"

namespace xs::dom0 {

enum class Action : std::uint8_t { kSay, kList, kMigrate, kSave, kRestore, kAbort };

struct Options {
  Action action = Action::kSay;  // there is only `text` to be shown
  bool json = false;
  bool force = false;
  unsigned seconds = 10;           // until it is given up
  unsigned deadline = 5;           // seconds that processes have to pause
  std::string domain;              // number or name
  std::string where;               // the host that it goes to, or the file
  std::vector<std::string> to_xl;  // options
  std::string text;
  int status = kDone;
};
// The words after the program's name.
Options parse(const std::vector<std::string>& words);

}  // namespace xs::dom0
