// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The way of a small message into a ring: what Session declares for it, defined inline for the few
// who write many frames. Whatever is not the usual case stands in session_ring_frames.cpp.
#pragma once
#include "stream/session.hpp"
#include "stream/streams.hpp"

namespace xs::stream {

// Whether a frame with that body can be put now. Else somebody waits for room.
[[gnu::always_inline]] inline bool Session::has_ring_room(std::size_t body) noexcept {
  const bool next = cursor_ == tail_ && !path_.failed && tail_ - una_ < window_;
  if (next && path_.ring->producer().claim(proto::kRingHeadSize + body) == carrier::Claimed::kOk)
      [[likely]]
    return true;
  return find_ring_room(body);
}

// Writes the head of the claimed frame, and words that follow it, and publishes it.
template <class... Words>
[[gnu::always_inline]] inline void Session::publish_in_ring(proto::Kind kind, std::uint8_t flags,
                                                            std::uint64_t seq,
                                                            Words... words) noexcept {
  auto& producer = path_.ring->producer();
  const std::uint8_t asks = streams_.rts_only_ ? flags | proto::kRtsOnly : flags;
  const proto::RingHead head{
      .kind = kind, .flags = asks, .number = static_cast<std::uint32_t>(seq)};
  producer.put_words(pack(head), words...);
  if (producer.commit()) ring_bell();
}

template <class... Words>
[[gnu::always_inline]] inline void Session::commit_in_ring(proto::Kind kind, std::uint8_t flags,
                                                           std::size_t body,
                                                           Words... words) noexcept {
  const util::Nanoseconds now = streams_.now();
  if (una_ == tail_) moved_at_ = now;
  publish_in_ring(kind, flags, tail_, words...);
  cursor_ = highest_ = ++tail_;
  path_.ring_bytes += body;
  path_.used_at = now;
  streams_.due_at(now + streams_.limits_.quiet);
}

}  // namespace xs::stream
