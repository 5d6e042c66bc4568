// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// xs-windows: hammer's main program, with phases of one-sided communication.
#include <array>

#include "../hammer/phases.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

constexpr std::array<PhaseEntry, 10> kPhases = {{
    {"fence", "puts to all, then gets from all, between fences", windows::phase_fence},
    {"pscw", "puts and gets between neighbours: post, start, complete, wait", windows::phase_pscw},
    {"locks", "get, count, put back, under an exclusive lock", windows::phase_locks},
    {"all", "puts and gets under MPI_Win_lock_all, with flushes and requests", windows::phase_all},
    {"accumulate", "sums, maxima and more of all ranks at one place", windows::phase_accumulate},
    {"fetch", "MPI_Get_accumulate: each element in some order", windows::phase_fetch},
    {"tickets", "MPI_Fetch_and_op: every number once", windows::phase_tickets},
    {"swap", "MPI_Compare_and_swap, and swaps by MPI_REPLACE", windows::phase_swap},
    {"shapes", "data types with gaps, which stay as they are", windows::phase_shapes},
    {"dynamic", "memory that is attached to a window later", windows::phase_dynamic},
}};

}  // namespace

const char* program_name() { return "windows"; }

std::span<const PhaseEntry> all_phases() { return kPhases; }

}  // namespace hammer
