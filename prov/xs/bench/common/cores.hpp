// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <optional>

namespace xs::bench {

/// The CPU of either side of a pair.
using CpuPair = std::array<int, 2>;

/// Two CPUs of different cores that this process may use; nothing if there is only one core.
std::optional<CpuPair> choose_cores();

/// Keeps the calling process on `cpu`; throws Failure.
void pin_to(int cpu);

}  // namespace xs::bench
