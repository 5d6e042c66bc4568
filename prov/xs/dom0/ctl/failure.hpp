// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <string>

#include "util/result.hpp"

namespace xs::dom0 {

// What an error of the machine means to whoever has called the command.
struct Failure {
  int status;
  std::string text;  // without a full stop or the end of a line
};
Failure explain(const util::Error& error);

}  // namespace xs::dom0
