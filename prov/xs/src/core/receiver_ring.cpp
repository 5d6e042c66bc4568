// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Most messages come so: tagged, by a ring, and fit into the oldest receive. One function from the
// stamp to the completion; whatever is not the usual case goes the ways of receiver.cpp, which
// would do the same.
#include "core/receiver.hpp"
#include "stream/ring_reading.hpp"

namespace xs::core {

[[gnu::always_inline]] inline Taken Receiver::take_usual(
    Peer& peer, const proto::Envelope& envelope, std::uint8_t flags, stream::RingConsumer& ring,
    std::size_t offset, std::size_t size) noexcept {
  auto* const receive =
      static_cast<ReceiveRequest*>(tagged_.peek_oldest({peer.source(), envelope.tag}));
  if (!receive || !receive->memory.takes_whole(size)) [[unlikely]] {
    Payload payload(ring, offset, size);
    return eager_received(peer, envelope, flags, payload);
  }
  auto* const to = static_cast<std::byte*>(receive->memory.first());
  if (size > util::kCopiedInline)
    copy_long(peer, ring, offset, to, size);
  else if (size > 0)
    ring.copy(offset, to, size);
  if (!ring.release()) [[unlikely]]
    return Taken::kVanished;
  tagged_.remove(*receive);
  ++peer.ring.received_messages;
  peer.ring.received_bytes += size;
  constexpr std::uint64_t kHasData = FI_REMOTE_CQ_DATA / proto::kCqData;  // without a branch
  if (!reporter_.received_whole(receive->flags,
                                {.context = receive->context,
                                 .flags = FI_RECV | FI_TAGGED | (flags & proto::kCqData) * kHasData,
                                 .length = size,
                                 .data = envelope.data,
                                 .tag = envelope.tag,
                                 .source = peer.number})) [[unlikely]]
    report(*receive, {&peer, envelope.tag, envelope.data, (flags & proto::kCqData) != 0, true},
           size, size, 0);
  requests_.drop(receive);
  return Taken::kYes;
}

// A copy for which memcpy is called. What is advised about direct reads rests on how long large
// ones take; a look at the clock takes longer than a small one, so few are measured.
void Receiver::copy_long(Peer& peer, stream::RingConsumer& ring, std::size_t offset, std::byte* to,
                         std::size_t size) noexcept {
  constexpr std::size_t kTimed = 4096;
  if (size < kTimed || !peer.session->may_read() || !peer.paces.copy_is_due())
    return ring.copy(offset, to, size);
  const util::Nanoseconds begin = streams_.precise_now();
  ring.copy(offset, to, size);
  peer.paces.copied(size, streams_.precise_now() - begin);
}

unsigned Receiver::usual_received(stream::Session& session, unsigned most) noexcept {
  Peer& peer = *static_cast<Peer*>(session.owner);
  return session.take_usual_frames(
      most,
      [this, &peer](const proto::Envelope& envelope, std::uint8_t flags, stream::RingConsumer& ring,
                    std::size_t offset, std::size_t size) noexcept {
        return take_usual(peer, envelope, flags, ring, offset, size);
      });
}

}  // namespace xs::core
