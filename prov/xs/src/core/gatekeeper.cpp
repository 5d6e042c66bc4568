// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/gatekeeper.hpp"

#include "core/endpoint.hpp"

namespace xs::core {

using proto::Kind;
using stream::Payload;
using stream::Session;
using stream::Taken;

stream::Streams& Gatekeeper::streams() const noexcept { return endpoint_->streams(); }

bool Gatekeeper::say(Session& session, Kind kind, const proto::ConnectFrame& frame) noexcept {
  stream::FrameBuffer* buffer = session.claim(kind, proto::ConnectFrame::kSize + frame.data.size());
  if (!buffer) return false;
  proto::encode(frame, buffer->body());
  session.commit(*buffer, proto::kAckNow, 0);
  return true;
}

// ---- What we look at ----

bool Gatekeeper::frame_told(Session& session, const proto::FrameView& frame) noexcept {
  const auto body = proto::decode_connect_frame(frame.body);
  return body && told(session, frame.prefix.kind, *body);
}

bool Gatekeeper::goodbye_received(Session& session, const proto::FrameView& frame) noexcept {
  before_goodbye(session);
  if (!above_->frame_received(session, frame)) return false;
  after_goodbye(session);
  return true;
}

bool Gatekeeper::frame_received(Session& session, const proto::FrameView& frame) noexcept {
  switch (frame.prefix.kind) {
    case Kind::kConnect:
    case Kind::kAnswer:
    case Kind::kConnected:
      return frame_told(session, frame);
    case Kind::kGoodbye:
      return goodbye_received(session, frame);
    default:
      break;
  }
  const Admission admission = admits(session);
  if (admission == Admission::kYes) return above_->frame_received(session, frame);
  return admission == Admission::kDropped;
}

namespace {
// Of no use to anybody; but what stands in a ring has to be taken all the same.
Taken refuse(Payload& payload, bool lie) noexcept {
  if (!payload.take()) return Taken::kVanished;
  return lie ? Taken::kLie : Taken::kYes;
}
}  // namespace

Taken Gatekeeper::eager_received(Session& session, proto::Envelope envelope, std::uint8_t flags,
                                 Payload& payload) noexcept {
  const Admission admission = admits(session);
  if (admission == Admission::kYes)
    return above_->eager_received(session, envelope, flags, payload);
  return refuse(payload, admission == Admission::kLie);
}

Taken Gatekeeper::payload_received(Session& session, const Head& head, Payload& payload) noexcept {
  const Admission admission = admits(session);
  if (admission == Admission::kYes) return above_->payload_received(session, head, payload);
  return refuse(payload, admission == Admission::kLie);
}

// What is not taken here comes one by one.
unsigned Gatekeeper::usual_received(Session& session, unsigned most) noexcept {
  return admits(session) == Admission::kYes ? above_->usual_received(session, most) : 0;
}

void Gatekeeper::session_opened(Session& session) noexcept {
  above_->session_opened(session);
  if (session.open()) opened(session);
  if (session.open()) may_speak(session);
}

void Gatekeeper::window_opened(Session& session) noexcept {
  may_speak(session);
  above_->window_opened(session);
}

void Gatekeeper::session_ended(Session& session, int error) noexcept {
  above_->session_ended(session, error);
  ended(session, error);
}

// ---- What goes by ----

void Gatekeeper::frame_released(std::uint64_t cookie, int error) noexcept {
  above_->frame_released(cookie, error);
}

bool Gatekeeper::frame_left(std::uint64_t cookie) noexcept { return above_->frame_left(cookie); }

void Gatekeeper::card_changed(Session& session, const stream::Card& before) noexcept {
  above_->card_changed(session, before);
}

void Gatekeeper::ring_joined(Session& session) noexcept { above_->ring_joined(session); }

void Gatekeeper::bulk_let_go(stream::BulkOperation& operation, std::size_t length,
                             int error) noexcept {
  above_->bulk_let_go(operation, length, error);
}

// ---- What an endpoint does for us ----

stream::Session* Endpoint::greet(const proto::Address& home) noexcept {
  Peer* peer = peers_.at(home);
  stream::Session* session = peer ? streams_->greet(home) : nullptr;
  if (!session) return nullptr;
  session->owner = peer;
  peer->session = session;
  return session;
}

void Endpoint::fail_pending(stream::Session& session, int error) noexcept {
  Peer& peer = *static_cast<Peer*>(session.owner);
  initiator_->fail_pending(peer, error);
  sender_->fail_pending(peer, error);
}

}  // namespace xs::core
