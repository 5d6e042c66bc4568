// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/failure.hpp"

#include <cerrno>
#include <cstring>

namespace xs::test {

Failure system_failure(const std::string& what) {
  return Failure(what + ": " + std::strerror(errno));
}

}  // namespace xs::test
