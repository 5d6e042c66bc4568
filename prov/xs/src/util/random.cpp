// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace xs::util {

std::uint64_t SystemRandom::next() noexcept {
  std::uint64_t value = 0;
  while (value == 0) {
    // A signal may interrupt the wait for the kernel's first seed. Any other failure means a kernel
    // without getrandom, where no token could be trusted. 8 bytes never come in part.
    if (getrandom(&value, sizeof value, 0) < 0 && errno != EINTR) std::abort();
  }
  return value;
}

}  // namespace xs::util
