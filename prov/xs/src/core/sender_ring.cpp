// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Eager messages that go straight from the user's memory into a ring: docs/paths.md section 3.
#include <array>

#include "core/sender.hpp"

namespace xs::core {

using proto::Kind;

std::uint8_t Sender::frame_flags(std::uint32_t op_flags) noexcept {
  std::uint8_t flags = 0;
  if (op_flags & kOpTagged) flags |= proto::kTagged;
  if (op_flags & kOpData) flags |= proto::kCqData;
  if (op_flags & kOpDeliveryComplete) flags |= proto::kDelivery | proto::kAckNow;
  if (op_flags & kOpTransmitComplete) flags |= proto::kAckNow;
  return flags;
}

// From the user's memory into the ring, in one copy. False: not now.
bool Sender::put_in_ring(Peer& peer, std::uint64_t tag, std::uint64_t data, std::uint32_t flags,
                         std::span<const struct iovec> iov, std::size_t length) noexcept {
  stream::Session& session = *peer.session;
  if (!session.claim_in_ring(proto::kEnvelopeSize + length)) return false;
  std::array<std::byte, proto::kEnvelopeSize> envelope;
  proto::encode(proto::Envelope{tag, data}, envelope.data());
  session.put_in_ring(0, envelope);
  std::size_t at = proto::kEnvelopeSize;
  for (const struct iovec& piece : iov) {
    if (piece.iov_len == 0) continue;  // it may have no address
    session.put_in_ring(at, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
    at += piece.iov_len;
  }
  session.commit_in_ring(Kind::kEager, frame_flags(flags), proto::kEnvelopeSize + length);
  ++peer.ring.sent_messages;
  peer.ring.sent_bytes += length;
  return true;
}

bool Sender::start_in_ring(SendRequest& send) noexcept {
  std::array<struct iovec, kIovLimit> iov;
  const std::size_t length = send.memory.size();
  const std::size_t pieces = send.memory.pieces(length, iov);
  if (!put_in_ring(*send.peer, send.tag, send.data, send.flags, std::span(iov.data(), pieces),
                   length))
    return false;
  send.peer->pending.remove(send);
  reporter_.sent(send.flags, send.context);
  drop(send);
  return true;
}

}  // namespace xs::core
