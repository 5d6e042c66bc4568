// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <memory>

#include "worker/side.hpp"

namespace xs::bench {

/// What no transport can beat. Latency: a cache line that goes back and forth
/// between the two sides. Stream: memcpy by side 0 alone, over buffers as large
/// as those of the other streams.
std::unique_ptr<Side> make_floor_side(unsigned number);

}  // namespace xs::bench
