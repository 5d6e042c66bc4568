// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a session counts, for statistics and for who judges from outside.
#pragma once
#include <algorithm>
#include <cstdint>

#include "util/clock.hpp"

namespace xs::stream {

struct SessionCounters {
  std::uint64_t replayed = 0;    // frames posted again
  std::uint64_t duplicates = 0;  // frames taken before
  std::uint64_t gaps = 0;        // frames ahead of their turn
  std::uint64_t pings = 0;
  std::uint64_t greetings = 0;  // HELLOs sent
};

// Of its own stream: first unacknowledged, next to post, first never posted, next to be given.
struct StreamNumbers {
  std::uint64_t una, cursor, highest, tail;
};

// Of moves, its own VM's and its peer's.
struct MoveTimes {
  std::uint64_t moves = 0;  // that were heard of, or made
  // The longest time from then to the first frame that was taken by that path.
  util::Nanoseconds fabric = 0;
  util::Nanoseconds ring = 0;

  MoveTimes& operator+=(const MoveTimes& other) noexcept {
    moves += other.moves;
    fabric = std::max(fabric, other.fabric);
    ring = std::max(ring, other.ring);
    return *this;
  }
};

}  // namespace xs::stream
