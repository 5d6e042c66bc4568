// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// xs-hammer: MPI programs' hardest habits in one.
#include <array>

#include "phases.hpp"

namespace hammer {
namespace {

constexpr std::array<PhaseEntry, 12> kPhases = {{
    {"sizes", "every threshold size between all pairs, expected and unexpected", phase_sizes},
    {"storm", "many non-blocking messages in all directions with barriers between", phase_storm},
    {"wild", "MPI_ANY_SOURCE and MPI_ANY_TAG", phase_wild},
    {"probe", "probe, iprobe, mprobe, improbe, mrecv, imrecv", phase_probe},
    {"ssend", "synchronous sends finish only when matched", phase_ssend},
    {"cancel", "cancelled receives, idle and racing with messages", phase_cancel},
    {"reorder", "hundreds of large messages received in another order than sent", phase_reorder},
    {"large", "up to 40 MiB, both directions at once", phase_large},
    {"self", "messages to oneself", phase_self},
    {"comms", "dups, splits and intercommunicators, all busy at once", phase_comms},
    {"collectives", "blocking and overlapping collectives", phase_collectives},
    {"threads", "several threads in MPI at once (needs --threads)", phase_threads},
}};

}  // namespace

const char* program_name() { return "hammer"; }

std::span<const PhaseEntry> all_phases() { return kPhases; }

}  // namespace hammer
