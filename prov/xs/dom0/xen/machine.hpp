// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>

#include "dom0/ctl/machine.hpp"

namespace xs::dom0 {

// By libxenctrl, libxenforeignmemory and libxenstore. If an answer takes more than so many seconds,
// or unless they are 0, there is a SIGALRM.
util::Result<std::unique_ptr<Machine>> open_xen(unsigned patience = 0);

}  // namespace xs::dom0
