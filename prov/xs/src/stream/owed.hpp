// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a session has to say of the frames that it takes: docs/wire.md section 5.
#pragma once
#include <cstdint>

#include "util/clock.hpp"

namespace xs::stream {

// Of the same gap something is said, or done, once in a while.
class GapLimit {
 public:
  // position: the number that is missing.
  bool passes(std::uint64_t position, util::Nanoseconds now, util::Nanoseconds pause) noexcept {
    if (position == position_ && now - at_ < pause) return false;
    position_ = position;
    at_ = now;
    return true;
  }

 private:
  std::uint64_t position_ = 0;
  util::Nanoseconds at_ = 0;
};

// Acknowledgements, the answer to a PING, the report of a gap.
struct Owed {
  std::uint32_t frames = 0;  // taken since the last acknowledgement left
  std::uint32_t soon = 0;    // those of them that asked for it soon
  bool now = false;          // it is said at the end of the pass
  bool gap = false;          // a frame was ahead
  std::uint64_t echo = 0;    // number of a PING to answer, 0: none
  GapLimit gaps;

  bool any() const noexcept { return frames > 0 || now; }
  // Another frame carries the acknowledgement, but neither the answer to a PING nor the report of a
  // gap.
  void rides() noexcept {
    frames = soon = 0;
    now = gap || echo != 0;
  }
  void is_said() noexcept {
    frames = soon = 0;
    now = gap = false;
    echo = 0;
  }
};

}  // namespace xs::stream
