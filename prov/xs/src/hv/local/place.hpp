// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What all processes have in common that could share memory.
#pragma once
#include <string>

#include "hv/card.hpp"
#include "util/result.hpp"

namespace xs::hv {

// Digest of boot, namespaces (mount, network, user) and effective user. ENOTSUP if the system
// doesn't tell.
util::Result<Id> real_host() noexcept;
// The same, and the name of a simulated host (empty: none).
Id host_within(const Id& real, const std::string& simulated_host) noexcept;

}  // namespace xs::hv
