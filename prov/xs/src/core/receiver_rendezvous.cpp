// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The receiver's side of a rendezvous: RTS, CTS, the payload by bulk transfer or by DATA frames,
// FIN. docs/wire.md section 6.
#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <vector>

#include "core/receiver.hpp"
#include "core/sender.hpp"
#include "util/log.hpp"
#include "util/reserve.hpp"

namespace xs::core {

using proto::BulkMode;
using proto::Kind;

bool Receiver::rts_received(Peer& peer, const proto::FrameView& frame) noexcept {
  const auto rts = proto::decode_rts(frame.body);
  if (!rts) return false;
  const Arrival arrival{&peer, rts->envelope.tag, rts->envelope.data,
                        (frame.prefix.flags & proto::kCqData) != 0,
                        (frame.prefix.flags & proto::kTagged) != 0};
  count_received(peer, rts->length);
  if (ReceiveRequest* receive = match(arrival, rts->length)) {
    begin_rendezvous(*receive, arrival, {rts->length, rts->send_id, rts->address});
    return true;
  }
  // Those of its ended sessions wait for their receives, and can't be held against it.
  if (peer.announcements - peer.dead_announcements >= kSendLimit) return false;
  if (!buffer_announcement(arrival, {rts->length, rts->send_id, rts->address})) return false;
  ++peer.announcements;
  return true;
}

void Receiver::begin_rendezvous(ReceiveRequest& receive, const Arrival& arrival,
                                const Announced& announced) noexcept {
  const auto [length, send_id, address] = announced;
  Peer& peer = *arrival.peer;
  receive.become_rendezvous();
  receive.accepted = std::min<std::uint64_t>(length, receive.memory.size());
  if (receive.accepted == 0) {
    say_fin(peer, send_id, 0);
    return finish(receive, arrival, 0, length, 0);
  }
  if (address != 0 && read_directly(receive, peer, address)) {
    say_fin(peer, send_id, 0);
    return finish(receive, arrival, receive.accepted, length, 0);
  }
  receive.id = ids_.add(receive);
  if (receive.id == 0 || !reserve_late()) {
    util::log(util::Level::kWarn, "no memory to receive %llu bytes of %s",
              static_cast<unsigned long long>(length), peer.home.text().c_str());
    if (receive.id != 0) ids_.remove(receive.id);
    say_fin(peer, send_id, ENOMEM);
    return finish(receive, arrival, 0, 0, ENOMEM);
  }
  receive.peer = &peer;
  receive.send_id = send_id;
  receive.tag = arrival.tag;
  receive.data = arrival.data;
  receive.has_data = arrival.has_data;
  receive.total = length;
  peer.receiving.push_back(receive);
  peer.session->await();
  // Beside a ring the inner provider is the slower way.
  if (peer.session->reads_ring() || !ask_bulk(receive)) ask_stream(receive);
}

bool Receiver::read_directly(const ReceiveRequest& receive, Peer& peer,
                             std::uint64_t address) noexcept {
  std::array<struct iovec, kIovLimit> to;
  const std::size_t pieces = receive.memory.pieces(receive.accepted, to);
  const util::Nanoseconds begin = streams_.precise_now();
  if (!peer.session->read_payload(address, std::span(to.data(), pieces))) return false;
  const util::Nanoseconds took = streams_.precise_now() - begin;
  if (receive.accepted <= limits_.eager)
    peer.paces.read_short(receive.accepted, took);
  else
    peer.paces.read_long(receive.accepted, took);
  return true;
}

// So that sent_received() can list every rendezvous.
bool Receiver::reserve_late() noexcept try {
  util::reserve_for(late_, requests_.live());
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

// The inner receive stands before its CTS leaves: a bulk message that finds none would stop the
// lane.
bool Receiver::ask_bulk(ReceiveRequest& receive) noexcept {
  std::array<struct iovec, kIovLimit> iov;
  const std::size_t pieces = receive.memory.pieces(receive.accepted, iov);
  if (pieces > streams_.iov_limit() || !streams_.bulk_ends()) return false;
  stream::Session& session = *receive.peer->session;
  receive.bulk_tag = streams_.new_bulk_tag();
  if (streams_.bulk_receive(session, receive.bulk_tag, std::span(iov.data(), pieces),
                            receive.bulk) != carrier::Posted::kOk)
    return false;
  receive.state = ReceiveState::kBulk;
  receive.bulk.our_route = session.our_route();
  receive.bulk.peer_route = session.peer_route();
  std::array<std::byte, proto::Cts::kSize> body;
  proto::encode(proto::Cts{.send_id = receive.send_id,
                           .receive_id = receive.id,
                           .bulk_tag = receive.bulk_tag,
                           .length = receive.accepted,
                           .mode = BulkMode::kBulk,
                           .attempt = ++receive.attempt,
                           .lane = session.our_route()},
                body.data());
  sender_.reply(*receive.peer, Kind::kCts, body);
  return true;
}

void Receiver::ask_stream(ReceiveRequest& receive) noexcept {
  receive.state = ReceiveState::kStream;
  receive.received = 0;
  receive.asked_at = receive.peer->session->may_read() ? streams_.precise_now() : 0;
  std::array<std::byte, proto::Cts::kSize> body;
  proto::encode(proto::Cts{.send_id = receive.send_id,
                           .receive_id = receive.id,
                           .bulk_tag = 0,
                           .length = receive.accepted,
                           .mode = BulkMode::kStream,
                           .attempt = ++receive.attempt,
                           .lane = 0},
                body.data());
  sender_.reply(*receive.peer, Kind::kCts, body);
}

void Receiver::say_fin(Peer& peer, std::uint64_t send_id, int status) noexcept {
  std::array<std::byte, proto::Fin::kSize> body;
  const ReadAdvice advice = peer.paces.advice();
  proto::encode(proto::Fin{.send_id = send_id,
                           .status = static_cast<std::uint32_t>(status),
                           .copy_short = advice.copy_short,
                           .stream_long = advice.stream_long},
                body.data());
  sender_.reply(peer, Kind::kFin, body);
}

Taken Receiver::data_received(Peer& peer, util::Bytes before, Payload& payload) noexcept {
  const auto head = proto::decode_data(before);
  if (!head) return Taken::kLie;
  ReceiveRequest* receive = ids_.find(head->receive_id);
  if (!receive) {
    if (!peer.session->goodbye_sent()) return Taken::kLie;
    return payload.take() ? Taken::kYes : Taken::kVanished;
  }
  if (receive->peer != &peer || receive->state != ReceiveState::kStream || receive->done)
    return Taken::kLie;
  if (head->offset != receive->received || payload.size() > receive->accepted - receive->received)
    return Taken::kLie;
  receive->memory.fill_from(payload, receive->received);
  if (!payload.take()) return Taken::kVanished;
  receive->received += payload.size();
  if (receive->received == receive->accepted) {
    if (receive->asked_at != 0)
      peer.paces.streamed(receive->accepted, receive->asked_at, streams_.precise_now());
    say_fin(peer, receive->send_id, 0);
    complete_rendezvous(*receive);
  }
  return Taken::kYes;
}

void Receiver::bulk_let_go(ReceiveRequest& receive, std::size_t length, int error) noexcept {
  // A message under this tag may still be on its way.
  if (error != 0) streams_.bulk_abandon(receive.bulk, receive.bulk_tag, receive.accepted);
  if (receive.ended != 0) return fail_rendezvous(receive, receive.ended);
  if (error == 0 && length == receive.accepted) {
    say_fin(*receive.peer, receive.send_id, 0);
    return complete_rendezvous(receive);
  }
  if (error == 0) {
    util::log(util::Level::kWarn,
              "peer %s sent %zu bytes where %zu were announced: its session ends",
              receive.peer->home.text().c_str(), length, receive.accepted);
    return receive.peer->session->end(EPROTO);
  }
  receive.let_go = true;
  if (receive.sent_came) bulk_failed(receive);
}

bool Receiver::sent_received(Peer& peer, const proto::Sent& sent) noexcept {
  ReceiveRequest* receive = ids_.find(sent.receive_id);
  if (!receive) return peer.session->goodbye_sent();
  if (receive->peer != &peer || receive->sent_came || receive->state != ReceiveState::kBulk ||
      sent.attempt != receive->attempt)
    return false;
  receive->sent_came = true;
  if (receive->done) {
    release_rendezvous(*receive);
  } else if (receive->let_go) {
    bulk_failed(*receive);
  } else if (sent.status != 0) {
    streams_.bulk_cancel(receive->bulk);
  } else {
    // It may be on another connection than this frame: wait a while before taking the receive back.
    receive->sent_at = streams_.now();
    late_.push_back(receive);
  }
  return true;
}

// The bulk attempt came to nothing, and the sender has let go of it as well: the stream is sure.
void Receiver::bulk_failed(ReceiveRequest& receive) noexcept {
  std::erase(late_, &receive);
  ask_stream(receive);
}

// The user has his answer; the request stays while the sender's SENT may still name it.
void Receiver::complete_rendezvous(ReceiveRequest& receive) noexcept {
  receive.peer->session->await_done();
  std::erase(late_, &receive);
  const Arrival arrival{receive.peer, receive.tag, receive.data, receive.has_data,
                        (receive.flags & kOpTagged) != 0};
  report(receive, arrival, receive.accepted, receive.total, 0);
  receive.done = true;
  if (receive.state == ReceiveState::kStream || receive.sent_came) release_rendezvous(receive);
}

void Receiver::fail_rendezvous(ReceiveRequest& receive, int error) noexcept {
  const Arrival arrival{receive.peer, receive.tag, receive.data, receive.has_data,
                        (receive.flags & kOpTagged) != 0};
  report(receive, arrival, 0, 0, error);
  release_rendezvous(receive);
}

void Receiver::release_rendezvous(ReceiveRequest& receive) noexcept {
  std::erase(late_, &receive);
  ids_.remove(receive.id);
  receive.peer->receiving.remove(receive);
  requests_.drop(&receive);
}

void Receiver::peer_ended(Peer& peer, int error) noexcept {
  peer.receiving.for_each([&](ReceiveRequest& receive) {
    if (receive.done) return release_rendezvous(receive);
    if (receive.ended != 0) return;
    if (peer.session) peer.session->await_done();  // it goes on after a GOODBYE
    if (!receive.bulk.under_way) return fail_rendezvous(receive, error);
    // The inner provider may still write into the user's buffer: the user hears of it when it does
    // not any more.
    receive.ended = error;
    std::erase(late_, &receive);
    streams_.bulk_cancel(receive.bulk);
  });
  for (const bool tagged : {true, false}) {
    Matcher& queue = matcher(tagged);
    queue.for_each_unexpected([&](UnexpectedMessage& each) {
      auto& message = static_cast<Unexpected&>(each);
      if (!bury_announcement(message, peer)) return;
      queue.remove(message);
      drop_unexpected(message);
    });
  }
  for (auto& [context, message] : claimed_) bury_announcement(*message, peer);
  if (shared_)
    shared_->for_each_claimed(*this, [&](Unexpected& message) {
      bury_announcement(message, peer);
      return false;
    });
}

// An announcement of a session that has ended ends in error when it is matched. True: one too many
// of them waits for that (a peer that comes back again and again must not fill our memory).
bool Receiver::bury_announcement(Unexpected& message, const Peer& peer) noexcept {
  if (message.peer != &peer || !message.announced || message.own || message.dead) return false;
  message.dead = true;
  return ++message.peer->dead_announcements > kSendLimit;
}

void Receiver::tick(util::Nanoseconds now) noexcept {
  // cancel() may end a receive within the call, so no iterator is kept over it.
  for (std::size_t i = late_.size(); i-- > 0;) {
    ReceiveRequest& receive = *late_[i];
    if (now - receive.sent_at < limits_.quiet) continue;
    late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
    streams_.bulk_cancel(receive.bulk);
  }
}

}  // namespace xs::core
