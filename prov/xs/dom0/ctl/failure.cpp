// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/failure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "dom0/ctl/status.hpp"

namespace xs::dom0 {

Failure explain(const util::Error& error) {
  // Of these the text tells all that there is to be told.
  constexpr std::array kTold{ENODEV, EACCES, EPERM, ESRCH, EEXIST, EBUSY};
  if (std::find(kTold.begin(), kTold.end(), error.code) != kTold.end())
    return {kCannot, error.what};
  return {kNoAnswer, std::string(error.what) + ": " + std::strerror(error.code)};
}

}  // namespace xs::dom0
