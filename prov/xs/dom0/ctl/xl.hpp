// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <string>
#include <vector>

#include "dom0/ctl/phases.hpp"

namespace xs::dom0 {

// 0, or the exit status after the reason was told.
int look_for_xl(System& system, Phases& phases);
// The phase `move`: xl's own words go where ours go. kDone: xl says that it has done it.
int run_xl(const std::vector<std::string>& words, System& system, Phases& phases);

}  // namespace xs::dom0
