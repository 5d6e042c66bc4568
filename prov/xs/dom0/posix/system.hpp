// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>

#include "dom0/ctl/system.hpp"

namespace xs::dom0 {

// As long as it stands SIGINT, SIGTERM and SIGHUP end nobody but the programs that it runs; nor
// does a pipe that nobody reads. Of the threads that there are, and with one at a time.
util::Result<std::unique_ptr<System>> open_system();

}  // namespace xs::dom0
