// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The way of a small message into a ring: what Session declares for it, defined inline for the few
// who write many frames. Whatever is not the usual case stands in session_ring_frames.cpp.
#pragma once
#include "stream/session.hpp"
#include "stream/streams.hpp"

namespace xs::stream {

// Whether a frame with that body can be put now. Else somebody waits for room.
inline bool Session::has_ring_room(std::size_t body) noexcept {
  return (writes_next() &&
          path_.ring->producer().claim(proto::kRingHeadSize + body) == carrier::Claimed::kOk) ||
         find_ring_room(body);
}

[[gnu::always_inline]] inline std::uint64_t Session::ring_head(proto::Kind kind, std::uint8_t flags,
                                                               std::uint64_t seq) const noexcept {
  const std::uint8_t asks = streams_.rts_only_ ? flags | proto::kRtsOnly : flags;
  return pack(
      proto::RingHead{.kind = kind, .flags = asks, .number = static_cast<std::uint32_t>(seq)});
}

// A frame has been put that was not made before.
[[gnu::always_inline]] inline void Session::put_next(std::size_t body) noexcept {
  if (una_ == tail_) [[unlikely]]
    begins_to_wait();
  cursor_ = highest_ = ++tail_;
  path_.ring_bytes += body;
}

template <class... Words>
inline bool Session::commit_in_ring(proto::Kind kind, std::uint8_t flags, std::size_t body,
                                    Words... words) noexcept {
  auto& producer = path_.ring->producer();
  producer.put_words(ring_head(kind, flags, tail_), words...);
  const bool rings = producer.commit();
  put_next(body);
  return rings;
}

[[gnu::always_inline]] inline carrier::Quick Session::put_quickly(proto::Kind kind,
                                                                  std::uint8_t flags,
                                                                  const proto::Envelope& envelope,
                                                                  util::Bytes payload) noexcept {
  using carrier::Quick;
  if (!path_.writes || !writes_next()) return Quick::kNo;
  const Quick put = path_.ring->producer().put_quickly(payload, ring_head(kind, flags, tail_),
                                                       envelope.tag, envelope.data);
  if (put != Quick::kNo) put_next(proto::kEnvelopeSize + payload.size());
  return put;
}

}  // namespace xs::stream
