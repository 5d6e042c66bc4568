// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <memory>
#include <string>

#include "worker/side.hpp"

namespace xs::bench {

/// Side `number` (0 or 1) of a pair over the libfabric provider `provider`; between messages it
/// sleeps or spins. Each side has `idle` other peers, which are silent (worker/idle_peers.hpp).
std::unique_ptr<Side> make_fabric_side(unsigned number, const std::string& provider, bool asleep,
                                       unsigned idle);

}  // namespace xs::bench
