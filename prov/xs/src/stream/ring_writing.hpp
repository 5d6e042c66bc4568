// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The way of a small message into a ring: what Session declares for it, defined inline for the few
// who write many frames. Whatever is not the usual case stands in session_ring_frames.cpp.
#pragma once
#include "stream/session.hpp"
#include "stream/streams.hpp"

namespace xs::stream {

// Whether a frame with that body can be put now. Else somebody waits for room.
inline bool Session::has_ring_room(std::size_t body) noexcept {
  const bool next = cursor_ == tail_ && !path_.failed && tail_ - una_ < window_;
  if (next && path_.ring->producer().claim(proto::kRingHeadSize + body) == carrier::Claimed::kOk)
      [[likely]]
    return true;
  return find_ring_room(body);
}

// Writes the head of the claimed frame and publishes it.
inline void Session::publish_in_ring(proto::Kind kind, std::uint8_t flags,
                                     std::uint64_t seq) noexcept {
  auto& producer = path_.ring->producer();
  const std::uint8_t asks = streams_.rts_only_ ? flags | proto::kRtsOnly : flags;
  const std::uint64_t head =
      pack(proto::RingHead{.kind = kind, .flags = asks, .number = static_cast<std::uint32_t>(seq)});
  producer.put(0, util::Bytes(reinterpret_cast<const std::byte*>(&head), sizeof head));
  if (producer.commit()) ring_bell();
}

[[gnu::always_inline]] inline void Session::commit_in_ring(proto::Kind kind, std::uint8_t flags,
                                                           std::size_t body) noexcept {
  const util::Nanoseconds now = streams_.now();
  if (una_ == tail_) moved_at_ = now;
  publish_in_ring(kind, flags, tail_);
  cursor_ = highest_ = ++tail_;
  path_.ring_bytes += body;
  path_.used_at = now;
  streams_.due_at(now + streams_.limits_.quiet);
}

}  // namespace xs::stream
