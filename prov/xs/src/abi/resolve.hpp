// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/address.hpp"

namespace xs::abi {

// The addresses of `nodes` successive nodes with `services` successive ports each, node by node, as
// fi_av_insertsym numbers them: from a numeric address by counting it up, from a name by counting
// up the digits at its end, as many as there are. nullopt for what has no address of that family (4
// or 6). May ask the resolver, and block. May throw bad_alloc.
std::vector<std::optional<core::Address>> resolve_range(const char* node, std::size_t nodes,
                                                        const char* service, std::size_t services,
                                                        std::uint16_t family);

}  // namespace xs::abi
