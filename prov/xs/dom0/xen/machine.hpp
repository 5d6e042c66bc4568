// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>

#include "dom0/ctl/machine.hpp"

namespace xs::dom0 {

// By libxenctrl, libxenforeignmemory and libxenstore.
util::Result<std::unique_ptr<Machine>> open_xen();

}  // namespace xs::dom0
