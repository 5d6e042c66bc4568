// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a session keeps of moves, its own VM's and its peer's: docs/migration.md, What waits after a
// long stop.
#pragma once
#include <algorithm>
#include <cstdint>

#include "util/clock.hpp"

namespace xs::stream {

// Of the route, since somebody was somewhere else, or nowhere, for a while.
struct Doubt {
  bool is = false;     // nothing that was said since has been answered
  bool greet = false;  // the peer is to be greeted by the route that was taken for that
  util::Nanoseconds since = 0;
  util::Nanoseconds answer_by = util::kNever;  // to what was asked since; never: nothing was
  std::uint64_t from = 0;                      // the first number that was posted since
};

// Routes that were left for doubts, each soon after the one before: in vain, as it seems. No
// machine is moved so often, but one may be so busy.
class RoutesLeft {
 public:
  unsigned in_vain(util::Nanoseconds now) const noexcept {
    return now - newest_ < kSoon ? count_ : 0;
  }
  void add(util::Nanoseconds now) noexcept {
    count_ = std::min(in_vain(now) + 1, kMost);
    newest_ = now;
  }

 private:
  static constexpr util::Nanoseconds kSoon = 10 * util::kSecond;
  static constexpr unsigned kMost = 4;  // that count
  util::Nanoseconds newest_ = 0;
  unsigned count_ = 0;
};

// The newest move, and the paths by which nothing has come since.
struct Awaited {
  util::Nanoseconds since = 0;
  bool fabric = false;
  bool ring = false;
};

}  // namespace xs::stream
