// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <span>

#include "run.hpp"

namespace hammer {

/// One round of a phase. All ranks call it with the same salt and round. It returns with nothing
/// outstanding.
using PhaseBody = void (*)(Run& run, std::uint64_t salt, int round);

struct PhaseEntry {
  const char* name;
  const char* about;
  PhaseBody body;
};

/// What this program is, by its phase_list.cpp.
const char* program_name();

/// In the order in which they run; a name occurs once.
std::span<const PhaseEntry> all_phases();

void phase_sizes(Run& run, std::uint64_t salt, int round);
void phase_storm(Run& run, std::uint64_t salt, int round);
void phase_wild(Run& run, std::uint64_t salt, int round);
void phase_probe(Run& run, std::uint64_t salt, int round);
void phase_ssend(Run& run, std::uint64_t salt, int round);
void phase_cancel(Run& run, std::uint64_t salt, int round);
void phase_reorder(Run& run, std::uint64_t salt, int round);
void phase_large(Run& run, std::uint64_t salt, int round);
void phase_self(Run& run, std::uint64_t salt, int round);
void phase_comms(Run& run, std::uint64_t salt, int round);
void phase_collectives(Run& run, std::uint64_t salt, int round);
void phase_threads(Run& run, std::uint64_t salt, int round);

}  // namespace hammer
