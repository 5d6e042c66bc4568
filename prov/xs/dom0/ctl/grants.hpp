// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "dom0/ctl/machine.hpp"

namespace xs::dom0 {

// Bytes of an entry of a grant table of version 1.
inline constexpr std::size_t kGrantSize = 8;

// A copy of such a table. Whatever stands in it: a guest has written it.
std::vector<Grants::To> count_grants(std::span<const std::byte> table);

}  // namespace xs::dom0
