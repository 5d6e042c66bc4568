// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <bit>
#include <cstdint>

namespace xs::stream {

enum class SessionState : std::uint8_t { kGreeting, kCandidate, kOpen, kClosed, kDead };

// How a session stands with its peer, side by side, since each message asks for all of it.
struct Standing {
  SessionState state = SessionState::kGreeting;
  bool goodbye_sent = false;
  bool goodbye_taken = false;
  bool peer_rts_only = false;  // the peer's last word: announce payloads, send none

  // Open, and neither side has said anything special: one comparison.
  constexpr bool usual() const noexcept {
    constexpr std::uint32_t kUsual =
        static_cast<std::uint32_t>(SessionState::kOpen);  // little-endian, as util/bytes.hpp wants
    return std::bit_cast<std::uint32_t>(*this) == kUsual;
  }
};
static_assert(Standing{SessionState::kOpen}.usual());

}  // namespace xs::stream
