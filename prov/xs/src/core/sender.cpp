// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/sender.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "core/frame_out.hpp"
#include "core/receiver.hpp"
#include "core/rma_initiator.hpp"
#include "core/rma_target.hpp"
#include "util/log.hpp"

namespace xs::core {

using proto::Kind;

Sender::~Sender() {
  peers_.for_each([this](Peer& peer) {
    while (!peer.pending.empty()) requests_.drop(&send_of(peer.pending.pop_front()));
    while (!peer.announced.empty()) requests_.drop(&peer.announced.pop_front());
  });
}

// Whether an eager payload stays where it is until it is acknowledged: cheaper than a copy, and no
// slower for the user than a rendezvous, which waits for the peer as well.
bool Sender::stays_in_place(const stream::Session& session, std::uint32_t flags,
                            std::size_t length) const noexcept {
  return length > eager_ / 4 && !(flags & kOpInject) && !session.writes_ring();
}

// What send_in_ring() has left over.
Status Sender::send_otherwise(const SendOp& op) noexcept {
  std::size_t length = 0;
  if (!UserMemory::sum(op.iov, length)) return Status::kInvalid;
  if (!reporter_.send_room(op.flags)) return Status::kAgain;
  Peer* peer = peers_.of(op.to);
  if (!peer) return Status::kInvalid;
  if (peer->self) return holds_back(*peer, op.flags) ? Status::kAgain : send_own(op, length);
  stream::Session* session = peer->session;
  if (!session || !peer->pending.empty() || takes_turn(op.flags) || session->goodbye_taken() ||
      !session->can_send() || session->writes_ring() || !fits_eager(*peer, length) ||
      stays_in_place(*session, op.flags, length))
    return send_slow(*peer, op);
  stream::FrameBuffer* frame = session->claim(Kind::kEager, proto::kEnvelopeSize + length);
  if (!frame) return send_slow(*peer, op);
  proto::encode(proto::Envelope{op.tag, op.data}, frame->body());
  UserMemory(op.iov).copy_to(frame->body() + proto::kEnvelopeSize, 0, length);
  ++peer->fabric.sent_messages;
  peer->fabric.sent_bytes += length;
  if (session->commit(*frame, frame_flags(op.flags), 0) || (op.flags & kOpInject))
    reporter_.sent(op.flags, op.context);
  else
    follow(*peer, *frame, op);
  return Status::kOk;
}

// The message is copied, but not sent yet: a user who heard now that it is done might stop making
// progress, and its receiver would wait. He hears when the inner provider has sent it.
void Sender::follow(Peer& peer, stream::FrameBuffer& frame, const SendOp& op) noexcept {
  SendRequest* send = make_request(peer, op);
  if (send && (send->id = ids_.add(*send)) != 0) {
    send->state = SendState::kEager;
    ++peer.followed;
    frame.cookie = send->id;
    return;
  }
  if (send) requests_.drop(send);
  reporter_.sent(op.flags, op.context);  // it is on its way, only memory is out
}

SendRequest* Sender::make_request(Peer& peer, const SendOp& op) noexcept {
  SendRequest* send = requests_.make();
  if (!send) return nullptr;
  send->peer = &peer;
  send->memory = UserMemory(op.iov);
  send->tag = op.tag;
  send->data = op.data;
  send->flags = op.flags;
  send->context = op.context;
  send->bulk.send = send;
  if ((op.flags & kOpInject) && send->memory.size() > 0) {
    const std::size_t size = send->memory.size();
    send->copy.reset(new (std::nothrow) std::byte[size]);
    if (!send->copy) {
      requests_.drop(send);
      return nullptr;
    }
    send->memory.copy_to(send->copy.get(), 0, size);
    send->memory = UserMemory::of(send->copy.get(), size);
  }
  return send;
}

// Waits for its turn, or is more than one frame can tell.
Status Sender::send_slow(Peer& peer, const SendOp& op) noexcept {
  if (!admits(peer)) return Status::kAgain;
  SendRequest* send = make_request(peer, op);
  if (!send) return Status::kAgain;
  enqueue(*send);
  return Status::kOk;
}

bool Sender::admits(Peer& peer) noexcept { return under_way(peer) < kSendLimit && greet(peer); }

void Sender::enqueue(Queued& queued) noexcept {
  queued.peer->pending.push_back(queued);
  pump(*queued.peer);
}

Status Sender::send_own(const SendOp& op, std::size_t length) noexcept {
  const OwnMessage message{op, length};
  switch (receiver_->own_message(message)) {
    case OwnResult::kTaken:
      reporter_.sent(op.flags, op.context);
      return Status::kOk;
    case OwnResult::kNoMemory:
      return Status::kAgain;
    case OwnResult::kKeepsReference:
      break;
  }
  SendRequest* send = make_request(*peers_.of(op.to), op);
  if (!send) return Status::kAgain;
  send->state = SendState::kAnnounced;
  send->peer->announced.push_back(*send);
  if (receiver_->own_announcement(*send)) return Status::kOk;
  send->peer->announced.remove(*send);
  requests_.drop(send);
  return Status::kAgain;
}

void Sender::own_done(SendRequest& send) noexcept { settle(send, 0); }

bool Sender::cancel(void* context) noexcept {
  SendRequest* found = nullptr;
  peers_.for_each([&](Peer& peer) {
    for (Queued& queued : peer.pending)
      if (!found && !queued.is_rma && queued.goes_by(context)) found = &send_of(queued);
  });
  if (!found) return false;
  Peer& peer = *found->peer;
  peer.pending.remove(*found);
  reporter_.send_failed(found->flags, found->context, ECANCELED);
  drop(*found);
  pump(peer);  // it may have been a fence
  return true;
}

// A session to send with: one that has ended, or whose peer said goodbye, gives way to a new one.
bool Sender::greet(Peer& peer) noexcept {
  if (peer.session && !peer.session->goodbye_taken()) return true;
  stream::Session* session = streams_.greet(peer.home);
  if (!session) return false;
  session->owner = &peer;
  peer.session = session;
  return true;
}

// Answers first, then the payloads that were asked for, then new messages and operations, in order.
void Sender::pump(Peer& peer) noexcept {
  const bool outer = std::exchange(peer.pumping, true);
  give_all(peer);
  peer.pumping = outer;
}

void Sender::give_all(Peer& peer) noexcept {
  if (!usable(peer) || !flush_replies(peer)) return;
  if (peer.streaming > 0)
    for (SendRequest& send : peer.announced)
      if (send.streaming && !stream_data(send)) return;
  if (!peer.rma.answers.empty() && !target_->give_answers(peer)) return;
  while (!peer.pending.empty() && start(peer.pending.front())) {
  }
}

bool Sender::is_fenced(const Queued& queued) noexcept {
  if (!(queued.flags & kOpFence) || is_clear(*queued.peer)) return false;
  return !queued.is_rma || !static_cast<const RmaRequest&>(queued).begun;
}

bool Sender::start(Queued& queued) noexcept {
  if (is_fenced(queued)) return false;
  if (queued.is_rma) return initiator_->give(static_cast<RmaRequest&>(queued));
  SendRequest& send = send_of(queued);
  return fits_eager(*send.peer, send.memory.size()) ? start_eager(send) : start_rendezvous(send);
}

bool Sender::start_eager(SendRequest& send) noexcept {
  Peer& peer = *send.peer;
  const std::size_t length = send.memory.size();
  if (peer.session->writes_ring() && !waits_for_ack(send.flags)) return start_in_ring(send);
  const bool in_place =
      stays_in_place(*peer.session, send.flags, length) && send.memory.run(0).size() == length;
  const bool followed = in_place || waits_for_ack(send.flags) || !(send.flags & kOpInject);
  if (followed && send.id == 0 && (send.id = ids_.add(send)) == 0) return false;
  stream::FrameBuffer* frame =
      peer.session->claim(Kind::kEager, proto::kEnvelopeSize + (in_place ? 0 : length));
  if (!frame) return false;
  proto::encode(proto::Envelope{send.tag, send.data}, frame->body());
  peer.pending.remove(send);
  send.state = SendState::kEager;
  PathCounters& path = peer.leaves_by();
  ++path.sent_messages;
  path.sent_bytes += length;
  stream::Session& session = *peer.session;
  if (in_place) {
    frame->tail = send.memory.run(0).data();  // empty pieces may stand before
    frame->tail_size = static_cast<std::uint32_t>(length);
    send.frames_out = 1;
    peer.announced.push_back(send);
    session.commit(*frame, frame_flags(send.flags) | proto::kAckSoon, send.id);
    return true;
  }
  send.memory.copy_to(frame->body() + proto::kEnvelopeSize, 0, length);
  if (!followed) {
    reporter_.sent(send.flags, send.context);
    session.commit(*frame, frame_flags(send.flags), 0);
    drop(send);
    return true;
  }
  ++peer.followed;
  session.commit(*frame, frame_flags(send.flags), send.id);  // may end the request
  return true;
}

// Whether the peer is told where the payload can be read.
bool Sender::shows(SendRequest& send) const noexcept {
  const std::size_t length = send.memory.size();
  if (!send.peer->session->may_be_read() || send.memory.run(0).size() != length) return false;
  ReadChoice& choice = length <= eager_ ? send.peer->short_way : send.peer->long_way;
  if (length > eager_ && choice.by_ring()) return false;
  choice.announced();
  return true;
}

bool Sender::start_rendezvous(SendRequest& send) noexcept {
  Peer& peer = *send.peer;
  if (send.id == 0 && (send.id = ids_.add(send)) == 0) return false;
  stream::FrameBuffer* frame = peer.session->claim(Kind::kRts, proto::Rts::kSize);
  if (!frame) return false;
  proto::encode(
      proto::Rts{
          .envelope = {send.tag, send.data},
          .length = send.memory.size(),
          .send_id = send.id,
          .address = shows(send) ? reinterpret_cast<std::uint64_t>(send.memory.run(0).data()) : 0},
      frame->body());
  peer.pending.remove(send);
  peer.announced.push_back(send);
  send.state = SendState::kAnnounced;
  peer.session->await();
  PathCounters& path = peer.leaves_by();
  ++path.sent_messages;
  path.sent_bytes += send.memory.size();
  peer.session->commit(*frame,
                       frame_flags(send.flags & ~(kOpTransmitComplete | kOpDeliveryComplete)), 0);
  return true;
}

void Sender::reply(Peer& peer, Kind kind, std::span<const std::byte> body) noexcept try {
  if (!usable(peer) || peer.session->goodbye_sent()) return;
  if (peer.replies.empty() && put_out(*peer.session, {kind, 0, body, {}, 0, 0}))
    return reply_given(peer, kind);
  Reply reply{.kind = kind, .body = {}, .size = static_cast<std::uint8_t>(body.size())};
  std::memcpy(reply.body.data(), body.data(), body.size());
  peer.replies.push_back(reply);
} catch (const std::bad_alloc&) {
  // Without the answer the peer would wait for ever; without its session it ends in error.
  util::log(util::Level::kWarn, "no memory for an answer to %s: its session ends",
            peer.home.text().c_str());
  peer.session->end_soon(ENOMEM);
}

bool Sender::flush_replies(Peer& peer) noexcept {
  while (!peer.replies.empty()) {
    const Reply& reply = peer.replies.front();
    const util::Bytes body = util::Bytes(reply.body).first(reply.size);
    if (!put_out(*peer.session, {reply.kind, 0, body, {}, 0, 0})) return false;
    reply_given(peer, reply.kind);
    peer.replies.pop_front();
  }
  return true;
}

bool Sender::frame_left(std::uint64_t cookie) noexcept {
  SendRequest* send = ids_.find(cookie);
  if (send && send->state == SendState::kAnnounced && send->frames_out > 0) {
    --send->frames_out;
    finish_if_free(*send);
    return true;
  }
  if (!send || send->state != SendState::kEager || waits_for_ack(send->flags)) return false;
  send->frames_out = 0;  // in place until now: the stream has a copy
  settle(*send, 0);
  return true;
}

void Sender::frame_released(std::uint64_t cookie, int error) noexcept {
  SendRequest* send = ids_.find(cookie);
  if (!send) return;
  if (send->frames_out > 0) --send->frames_out;
  if (send->state == SendState::kEager && !send->settled) return settle(*send, error);
  finish_if_free(*send);
}

void Sender::settle(SendRequest& send, int error) noexcept {
  if (send.settled) return;
  send.settled = true;
  send.error = error;
  if (send.bulk_waits) {
    send.bulk_waits = false;
    --bulk_waiting_;
  }
  if (send.streaming) {
    send.streaming = false;
    --send.peer->streaming;
  }
  finish_if_free(send);
}

// The one place where a request ends and the user gets his memory back.
void Sender::finish_if_free(SendRequest& send) noexcept {
  if (!send.settled || send.bulk.under_way || send.frames_out > 0) return;
  Peer& peer = *send.peer;
  if (send.linked())
    peer.announced.remove(send);
  else if (send.state == SendState::kEager)
    --peer.followed;
  if (send.error == 0)
    reporter_.sent(send.flags, send.context);
  else
    reporter_.send_failed(send.flags, send.context, send.error);
  drop(send);
  lift_fence(peer);
}

// Also a send that never went out may have its id: the window had no room for its RTS.
void Sender::drop(SendRequest& send) noexcept {
  if (send.id != 0) ids_.remove(send.id);
  requests_.drop(&send);
}

void Sender::peer_ended(Peer& peer, int error) noexcept {
  peer.replies.clear();
  while (!peer.pending.empty()) settle(send_of(peer.pending.pop_front()), error);
  peer.announced.for_each([&](SendRequest& send) {
    send.orphaned = true;
    settle(send, error);
  });
}

void Sender::fail_pending(Peer& peer, int error) noexcept {
  peer.pending.for_each([&](Queued& queued) {
    if (queued.is_rma) return;
    peer.pending.remove(queued);
    settle(send_of(queued), error);
  });
}

void Sender::goodbye_taken(Peer& peer) noexcept {
  peer.replies.clear();
  peer.announced.for_each([&](SendRequest& send) {
    if (send.state != SendState::kAnnounced) return;  // its frame is acknowledged or ends by itself
    send.orphaned = true;
    if (!send.settled) peer.session->await_done();
    settle(send, ECONNRESET);
  });
  if (!peer.pending.empty()) greet(peer);
}

bool Sender::flushed(const Peer& peer) const noexcept {
  if (!peer.pending.empty() || !peer.replies.empty() || peer.streaming > 0) return false;
  if (!peer.rma.answers.empty()) return false;
  for (const SendRequest& send : const_cast<Peer&>(peer).announced)
    if (send.flags & kOpInject) return false;
  return true;
}

}  // namespace xs::core
