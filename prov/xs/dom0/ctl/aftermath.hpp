// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is looked at after xl has moved a domain, or has not.
#pragma once
#include <cstdint>
#include <set>

#include "dom0/ctl/board.hpp"
#include "dom0/ctl/domain.hpp"
#include "dom0/ctl/phases.hpp"

namespace xs::dom0 {

inline constexpr std::uint64_t kMostSleep = 200;  // ms: that pages are unmapped isn't told

// Who is to be there again, and is when its note says nothing of that request any more.
struct Expected {
  std::set<std::uint64_t> processes;
  std::uint64_t serial;
  unsigned deadline;  // seconds
};
// The phase `back`, of a guest that runs here.
void wait_for_return(const Guest& guest, const Expected& expected, Board& board, System& system,
                     Phases& phases);
// The same, where nobody knows who is to come: until nobody else comes.
void wait_for_anybody(const Guest& guest, unsigned deadline, Board& board, System& system,
                      Phases& phases);

// The old domain should go now. If it does not, by whom it is held.
void look_for_remains(const Guest& guest, bool forced, Machine& machine, System& system,
                      Phases& phases);

}  // namespace xs::dom0
