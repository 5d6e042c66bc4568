// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A survey in words; what the columns and fields mean is in xsctl(8).
#pragma once
#include <string>

#include "dom0/ctl/survey.hpp"

namespace xs::dom0 {

std::string as_text(const Survey& survey);
// Lines.
std::string as_text(const Zombie& zombie, const Survey& survey);
// One object, and a newline.
std::string as_json(const Survey& survey);

const char* name_of(State state) noexcept;

}  // namespace xs::dom0
