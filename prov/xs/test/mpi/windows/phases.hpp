// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

#include "window.hpp"

namespace windows {

void phase_fence(Run& run, std::uint64_t salt, int round);
void phase_pscw(Run& run, std::uint64_t salt, int round);
void phase_locks(Run& run, std::uint64_t salt, int round);
void phase_all(Run& run, std::uint64_t salt, int round);
void phase_accumulate(Run& run, std::uint64_t salt, int round);
void phase_fetch(Run& run, std::uint64_t salt, int round);
void phase_tickets(Run& run, std::uint64_t salt, int round);
void phase_swap(Run& run, std::uint64_t salt, int round);
void phase_shapes(Run& run, std::uint64_t salt, int round);
void phase_dynamic(Run& run, std::uint64_t salt, int round);

}  // namespace windows
