// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include "util/bytes.hpp"

namespace xs::fuzz {

// Another domain's pages, which say and name what the script wants, and say something else at the
// next look; and pages of an honest one.
void map_grants(util::Bytes script);

}  // namespace xs::fuzz
