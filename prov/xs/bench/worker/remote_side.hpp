// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <memory>
#include <string>

#include "common/suite.hpp"
#include "worker/side.hpp"

namespace xs::bench {

/// Side `number` (0 or 1) of a pair that works on memory, for a suite other than kMessages: side
/// 0 reads and changes that of side 1, which makes progress. Throws Declined if the provider
/// lacks something that the suite needs.
std::unique_ptr<Side> make_remote_side(unsigned number, const Suite& suite,
                                       const std::string& provider, bool asleep);

}  // namespace xs::bench
