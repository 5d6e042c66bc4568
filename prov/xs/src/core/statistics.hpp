// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <string>

namespace xs::core {

class Endpoint;

// Appends to PREFIX.<pid> a line per peer and path (docs in the man page, FI_XS_STATS); nothing if
// prefix is empty. A file that can't be written costs one warning.
void write_statistics(Endpoint& endpoint, const std::string& prefix) noexcept;

}  // namespace xs::core
