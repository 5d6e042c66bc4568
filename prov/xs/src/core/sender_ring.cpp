// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Eager messages that go straight from the user's memory into a ring: docs/paths.md section 3.
#include <array>

#include "core/sender.hpp"
#include "stream/ring_writing.hpp"

namespace xs::core {

using proto::Kind;

// Payloads in other than one piece.
[[gnu::noinline]] void Sender::put_pieces_in_ring(stream::Session& session,
                                                  std::span<const struct iovec> iov) noexcept {
  std::size_t at = proto::kEnvelopeSize;
  for (const struct iovec& piece : iov) {
    if (piece.iov_len == 0) continue;  // it may have no address
    session.put_in_ring(at, {static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
    at += piece.iov_len;
  }
}

// From the user's memory into the ring, in one copy. False: not now.
bool Sender::put_in_ring(Peer& peer, const Message& message) noexcept {
  stream::Session& session = *peer.session;
  const std::size_t body = proto::kEnvelopeSize + message.length;
  if (!session.claim_in_ring(body)) return false;
  if (message.iov.size() == 1 && message.length > 0) [[likely]]
    session.put_in_ring(proto::kEnvelopeSize,
                        {static_cast<const std::byte*>(message.iov[0].iov_base), message.length});
  else
    put_pieces_in_ring(session, message.iov);
  // The envelope, word by word: see configure.m4 on loads of what has just been stored.
  if (session.commit_in_ring(Kind::kEager, frame_flags(message.flags), body, message.tag,
                             message.data))
    session.ring_bell();
  count_in_ring(peer, message.length);
  return true;
}

// The way of most messages, straight down. False: nothing has happened, and it is none of those.
inline bool Sender::send_in_ring(const SendOp& op) noexcept {
  std::size_t length = 0;
  Peer* const peer = peers_.of(op.to);
  if (!peer || !may_go_in_ring(*peer, op.flags) || !reporter_.send_room(op.flags) ||
      !UserMemory::sum(op.iov, length) || !fits_eager(*peer, length) ||
      !put_in_ring(*peer, {op.iov, length, op.tag, op.data, op.flags}))
    return false;
  reporter_.sent(op.flags, op.context);
  return true;
}

Status Sender::send(const SendOp& op) noexcept {
  return send_in_ring(op) ? Status::kOk : send_otherwise(op);
}

bool Sender::start_in_ring(SendRequest& send) noexcept {
  std::array<struct iovec, kIovLimit> iov;
  const std::size_t length = send.memory.size();
  const std::size_t pieces = send.memory.pieces(length, iov);
  if (!put_in_ring(*send.peer,
                   {std::span(iov.data(), pieces), length, send.tag, send.data, send.flags}))
    return false;
  send.peer->pending.remove(send);
  reporter_.sent(send.flags, send.context);
  drop(send);
  return true;
}

}  // namespace xs::core
