// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The sender's side of a rendezvous: CTS, payload, SENT, FIN.
#include <algorithm>
#include <array>
#include <cerrno>

#include "core/sender.hpp"

namespace xs::core {

using proto::Kind;

bool Sender::cts_received(Peer& peer, const proto::Cts& cts) noexcept {
  SendRequest* send = ids_.find(cts.send_id);
  if (peer.session->goodbye_sent()) return true;  // our GOODBYE crossed it
  if (!send || send->peer != &peer || send->state != SendState::kAnnounced ||
      cts.length > send->memory.size())
    return false;
  if (send->settled) return true;
  // The next attempt is asked for when SENT has told how this one ended.
  if (send->bulk.under_way || send->bulk_waits) return false;
  if (cts.attempt <= send->attempt || send->streaming) return false;
  send->attempt = cts.attempt;
  send->receive_id = cts.receive_id;
  send->granted = cts.length;
  if (cts.mode == proto::BulkMode::kBulk) {
    send->bulk_tag = cts.bulk_tag;
    send->bulk_route = cts.lane;
    post_bulk(*send);
    return true;
  }
  send->streaming = true;
  send->streamed = 0;
  ++peer.streaming;
  stream_data(*send);
  return true;
}

void Sender::post_bulk(SendRequest& send) noexcept {
  if (!send.bulk_waits) {
    send.bulk_waits = true;
    ++bulk_waiting_;
  }
  std::array<struct iovec, kIovLimit> iov;
  const std::size_t pieces = send.memory.pieces(send.granted, iov);
  stream::Session& session = *send.peer->session;
  carrier::Posted posted = carrier::Posted::kFailed;
  // Another lane has no receive for this tag: the message would stop it.
  if (send.bulk_route == session.peer_route() && pieces <= streams_.iov_limit())
    posted = streams_.bulk_send(session, send.bulk_tag, std::span(iov.data(), pieces), send.bulk);
  if (posted == carrier::Posted::kAgain) return;
  send.bulk.our_route = session.our_route();
  send.bulk.peer_route = session.peer_route();
  send.bulk_waits = false;
  --bulk_waiting_;
  if (posted == carrier::Posted::kFailed) say_sent(send, EIO);
}

void Sender::retry_bulk() noexcept {
  if (bulk_waiting_ == 0) return;
  peers_.for_each([this](Peer& peer) {
    if (!usable(peer)) return;
    for (SendRequest& send : peer.announced)
      if (send.bulk_waits) post_bulk(send);
  });
}

// Exactly once for every bulk CTS, when the inner provider has let go of the buffer.
void Sender::say_sent(SendRequest& send, std::uint32_t status) noexcept {
  std::array<std::byte, proto::Sent::kSize> body;
  proto::encode(proto::Sent{send.receive_id, send.attempt, status}, body.data());
  reply(*send.peer, Kind::kSent, body);
}

void Sender::bulk_let_go(SendRequest& send, int error) noexcept {
  // A SENT would reach the next session, which knows nothing of it.
  if (!send.orphaned) say_sent(send, error ? EIO : 0);
  finish_if_free(send);
}

// Gives the stream DATA frames as the window allows. True: all are given.
bool Sender::stream_data(SendRequest& send) noexcept {
  stream::Session& session = *send.peer->session;
  while (send.streamed < send.granted) {
    const std::size_t most = session.largest_body() - proto::DataHead::kSize;
    const std::span<std::byte> run = send.memory.run(send.streamed);
    const std::size_t part = std::min({run.size(), most, send.granted - send.streamed});
    stream::FrameBuffer* frame = session.claim(Kind::kData, proto::DataHead::kSize, part);
    if (!frame) return false;
    proto::encode(proto::DataHead{send.receive_id, send.streamed}, frame->body());
    frame->tail = run.data();
    frame->tail_size = static_cast<std::uint32_t>(part);
    send.streamed += part;
    ++send.frames_out;
    session.commit(*frame, 0, send.id);
  }
  if (send.streaming) {
    send.streaming = false;
    --send.peer->streaming;
  }
  return true;
}

bool Sender::fin_received(Peer& peer, const proto::Fin& fin) noexcept {
  SendRequest* send = ids_.find(fin.send_id);
  if (!send) return peer.session->goodbye_sent();  // our GOODBYE crossed it
  if (send->peer != &peer || send->state != SendState::kAnnounced) return false;
  if (send->settled) return false;
  peer.session->await_done();
  peer.short_way.hear(fin.copy_short);
  peer.long_way.hear(fin.stream_long);
  settle(*send, static_cast<int>(fin.status));
  return true;
}

}  // namespace xs::core
