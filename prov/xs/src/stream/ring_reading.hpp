// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The way of most messages out of a ring: what Session declares for it, defined inline for who is
// above, so that between a frame's stamp and the end of its handling nothing is called. Whatever is
// not usual is left to session_ring_frames.cpp, which would do the same with these.
#pragma once
#include <utility>

#include "stream/payload.hpp"
#include "stream/session.hpp"
#include "stream/streams.hpp"

namespace xs::stream {

// Takes the frame that the consumer looks at, if it is the next one, a tagged message in its turn
// that fits behind its envelope and asks for nothing: P4. kVanished: nothing was taken; the frame
// is another one, or its memory is gone.
template <class F>
[[gnu::always_inline]] inline Taken Session::take_usual_frame(RingConsumer& consumer,
                                                              F&& hand_up) noexcept {
  constexpr std::uint64_t kWithOrWithout = std::uint64_t{proto::kCqData} << 8;
  constexpr std::size_t kBefore = proto::kRingHeadSize + proto::kEnvelopeSize;
  const std::uint64_t head = consumer.copy_word<0>();
  const std::uint64_t turn = next_;
  const std::uint64_t usual = pack(proto::RingHead{.kind = proto::Kind::kEager,
                                                   .flags = proto::kTagged,
                                                   .number = static_cast<std::uint32_t>(turn)});
  const std::uint32_t size = consumer.size();
  if ((head & ~kWithOrWithout) != usual || size < kBefore) [[unlikely]]
    return Taken::kVanished;
  next_ = turn + 1;
  const Taken taken =
      hand_up(proto::Envelope{consumer.copy_word<1>(), consumer.copy_word<2>()},
              static_cast<std::uint8_t>(head >> 8), consumer, kBefore, size - kBefore);
  if (taken == Taken::kVanished) [[unlikely]] {
    next_ = turn;
    return taken;
  }
  path_.expected = static_cast<std::uint32_t>(turn + 1);
  path_.ring_bytes += size;
  return taken;
}

template <class F>
[[gnu::always_inline]] inline unsigned Session::take_usual_frames(unsigned most,
                                                                  F&& hand_up) noexcept {
  // What usual frames don't change.
  if (!usual() || !path_.begun || path_.expected != static_cast<std::uint32_t>(next_)) return 0;
  auto& consumer = path_.ring->consumer();
  unsigned count = 0;
  Taken taken = Taken::kYes;
  path_.taking = true;
  while (count < most && consumer.peek() == carrier::Peeked::kFrame) {
    taken = take_usual_frame(consumer, hand_up);
    if (taken == Taken::kVanished) break;
    ++count;
    consumer.expect_more();
    if (taken == Taken::kLie || !path_.reads) [[unlikely]]
      break;
    if (consumer.publish_due() && consumer.publish()) ring_bell();
  }
  path_.taking = false;
  if (taken == Taken::kLie) [[unlikely]]
    streams_.lie(*this, "an impossible value");
  return count;
}

}  // namespace xs::stream
