// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/frame.hpp"

namespace xs::proto {

inline constexpr std::size_t kRingHeadSize = 8;

// The head of a frame in a ring: docs/paths.md section 3.
struct RingHead {
  Kind kind{};
  std::uint8_t flags = 0;
  std::uint32_t number = 0;  // the low half of the frame's seq
};

constexpr std::uint64_t pack(const RingHead& head) noexcept {
  return static_cast<std::uint64_t>(head.kind) | std::uint64_t{head.flags} << 8 |
         std::uint64_t{head.number} << 32;
}

// nullopt: not a sequenced kind, unknown flags, or a body size that the kind has not.
[[gnu::always_inline]] inline std::optional<RingHead> unpack_ring_head(
    std::uint64_t word, std::uint32_t body) noexcept {
  // Of almost all: an eager message without anything unknown.
  constexpr std::uint64_t kChecked = 0xff | std::uint64_t{0xff & ~kAllFlags} << 8 | 0xffff0000;
  const bool eager = (word & kChecked) == static_cast<std::uint64_t>(Kind::kEager);
  const RingHead head{.kind = static_cast<Kind>(word & 0xff),
                      .flags = static_cast<std::uint8_t>(word >> 8),
                      .number = static_cast<std::uint32_t>(word >> 32)};
  if (eager && body >= kEnvelopeSize) [[likely]]
    return head;
  if ((word >> 16 & 0xffff) != 0 || (head.flags & ~kAllFlags) != 0) return std::nullopt;
  if (!is_sequenced(head.kind) || !is_body_size(head.kind, body)) return std::nullopt;
  return head;
}

}  // namespace xs::proto
