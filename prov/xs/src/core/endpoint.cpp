// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/endpoint.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "core/statistics.hpp"
#include "util/log.hpp"

namespace xs::core {

using proto::Kind;

Endpoint::Endpoint(const EndpointParts& parts) noexcept
    : parts_(parts),
      reporter_(parts.send_queue, parts.receive_queue, parts.source, parts.counters),
      peers_(parts.book),
      watch_(parts.config.quiet) {}

util::Result<std::unique_ptr<Endpoint>> Endpoint::open(const EndpointParts& parts) noexcept try {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(parts));
  const Config& config = parts.config;
  // A message as long as FI_XS_EAGER is one frame, unless the inner provider carries only less.
  const auto frame = static_cast<std::uint32_t>(std::min(
      config.eager + proto::kPrefixSize + proto::kEnvelopeSize, parts.inner.frame_limit()));
  const stream::StreamLimits limits{.largest_frame = std::max(frame, proto::kSmallestFrame),
                                    .window = config.window,
                                    .receive_buffers = config.receive_buffers,
                                    .quiet = config.quiet,
                                    .peer_timeout = config.peer_timeout,
                                    .pause_timeout = config.pause_timeout,
                                    .rings = parts.rings};
  stream::Upper& upper = parts.gatekeeper ? parts.gatekeeper->stand_before(*endpoint, *endpoint)
                                          : static_cast<stream::Upper&>(*endpoint);
  auto streams = stream::Streams::open(parts.inner, limits, parts.clock, parts.random, upper);
  if (!streams) return streams.error();
  endpoint->streams_ = std::move(*streams);
  stream::Streams& s = *endpoint->streams_;
  endpoint->sender_ = std::make_unique<Sender>(s, endpoint->peers_, endpoint->reporter_,
                                               config.eager, config.direct_read);
  const Receiver::Limits receiving{.eager = config.eager,
                                   .unexpected = config.unexpected,
                                   .window = config.window,
                                   .directed = parts.directed,
                                   .quiet = config.quiet};
  endpoint->receiver_ = std::make_unique<Receiver>(s, endpoint->peers_, endpoint->reporter_,
                                                   *endpoint->sender_, receiving);
  if (parts.shared) endpoint->receiver_->share(*parts.shared, parts.book, parts.shared_flags);
  endpoint->sender_->set_receiver(*endpoint->receiver_);
  endpoint->target_ = std::make_unique<RmaTarget>(endpoint->peers_, endpoint->reporter_,
                                                  *endpoint->sender_, parts.exposed);
  endpoint->initiator_ = std::make_unique<RmaInitiator>(endpoint->peers_, endpoint->reporter_,
                                                        *endpoint->sender_, *endpoint->target_);
  endpoint->sender_->set_rma(*endpoint->initiator_, *endpoint->target_);
  Peer* self = endpoint->peers_.at(s.name());
  if (!self) return util::Error{ENOMEM, "no memory for an endpoint"};
  self->self = true;
  if (parts.neighbours) {
    s.set_card(parts.neighbours->card());
    parts.neighbours->add(*endpoint);
    endpoint->paused_ = parts.neighbours->paused();
  }
  return endpoint;
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "no memory for an endpoint"};
}

Endpoint::~Endpoint() {
  // The inner endpoint goes first: it lets go of everything, and what that ends is reported to
  // nobody.
  if (parts_.neighbours) parts_.neighbours->remove(*this);
  reporter_.mute();
  if (receiver_) receiver_->leave_shared();
  peers_.for_each([](Peer& peer) { peer.session = nullptr; });
  streams_.reset();
}

Status Endpoint::cancel(void* context) noexcept {
  const bool found =
      receiver_->cancel(context) || sender_->cancel(context) || initiator_->cancel(context);
  return found ? Status::kOk : Status::kNoMessage;
}

void Endpoint::before_sleep() noexcept {
  streams_->look_everywhere();
  streams_->flush_owing();
  if (parts_.neighbours) parts_.neighbours->look();
}

// What is in no hurry: with the looks at the fabric.
void Endpoint::progress_the_rest() noexcept {
  if (parts_.neighbours) look_at_neighbours();
  sender_->retry_bulk();
  if (receiver_->needs_tick()) receiver_->tick(streams_->now());
  if (target_->waits()) target_->tick();
  if (Bulk* stuck = watch_.overdue(peers_, streams_->now())) streams_->retire(*stuck);
}

void Endpoint::look_at_neighbours() noexcept {
  if (streams_->wants_neighbours())
    parts_.neighbours->look();
  else
    parts_.neighbours->turn(streams_->now());
}

util::Nanoseconds Endpoint::due() const noexcept {
  constexpr util::Nanoseconds kSoon = util::kMillisecond;
  util::Nanoseconds when = streams_->due();
  if (sender_->bulk_waits() || target_->waits()) when = std::min(when, streams_->now() + kSoon);
  if (receiver_->needs_tick()) when = std::min(when, streams_->now() + parts_.config.quiet);
  const bool watching = sender_->under_way() > 0 || receiver_->under_way() > 0;
  return watching ? std::min(when, watch_.look_at()) : when;
}

// ---- What comes from below ----

bool Endpoint::frame_received(stream::Session& session, const proto::FrameView& frame) noexcept {
  Peer& peer = *static_cast<Peer*>(session.owner);
  switch (frame.prefix.kind) {
    case Kind::kRts:
      return receiver_->rts_received(peer, frame);
    case Kind::kGoodbye:
      return goodbye_received(peer);
    case Kind::kCts: {
      const auto cts = proto::decode_cts(frame.body);
      return cts && sender_->cts_received(peer, *cts);
    }
    case Kind::kFin: {
      const auto fin = proto::decode_fin(frame.body);
      return fin && sender_->fin_received(peer, *fin);
    }
    case Kind::kSent: {
      const auto sent = proto::decode_sent(frame.body);
      return sent && receiver_->sent_received(peer, *sent);
    }
    case Kind::kRead: {
      const auto read = proto::decode_read(frame.body);
      return read && target_->read_received(peer, *read);
    }
    case Kind::kDone: {
      const auto done = proto::decode_done(frame.body);
      return done && initiator_->done_received(peer, *done);
    }
    default:
      return false;
  }
}

Taken Endpoint::payload_received(stream::Session& session, const Head& head,
                                 Payload& payload) noexcept {
  Peer& peer = *static_cast<Peer*>(session.owner);
  switch (head.kind) {
    case Kind::kData:
      return receiver_->data_received(peer, head.bytes, payload);
    case Kind::kWrite:
      return target_->write_received(peer, head.flags, head.bytes, payload);
    case Kind::kAtomic:
      return target_->atomic_received(peer, head.bytes, payload);
    case Kind::kPut:
      return target_->put_received(peer, head.bytes, payload);
    case Kind::kGot:
      return initiator_->got_received(peer, head.bytes, payload);
    default:
      return payload.take() ? Taken::kLie : Taken::kVanished;
  }
}

bool Endpoint::goodbye_received(Peer& peer) noexcept {
  initiator_->goodbye_taken(peer);
  target_->peer_ended(peer);
  sender_->goodbye_taken(peer);
  receiver_->peer_ended(peer, ECONNRESET);
  return true;
}

void Endpoint::frame_released(std::uint64_t cookie, int error) noexcept {
  sender_->frame_released(cookie, error);
}

bool Endpoint::frame_left(std::uint64_t cookie) noexcept { return sender_->frame_left(cookie); }

void Endpoint::session_opened(stream::Session& session) noexcept {
  Peer* peer = peers_.at(session.home());
  if (!peer) return session.end(ENOMEM);
  session.owner = peer;
  peer->session = &session;
  session.set_peer_paused(locality::is_paused(session.peer_card()));
  introduce(session);
  sender_->pump(*peer);
}

void Endpoint::window_opened(stream::Session& session) noexcept {
  if (session.owner) sender_->pump(*static_cast<Peer*>(session.owner));
}

void Endpoint::session_ended(stream::Session& session, int error) noexcept {
  Peer* peer = static_cast<Peer*>(session.owner);
  if (!peer) return;
  peer->replayed += session.counters().replayed;
  peer->paths += session.path_counters();
  peer->moves += session.move_times();
  const bool newest = peer->session == &session;
  if (newest) peer->session = nullptr;
  if (parts_.neighbours) parts_.neighbours->forget(session.peer_card());
  // A newer one took its place after a goodbye: nothing of this one is open.
  if (!newest) return;
  initiator_->peer_ended(*peer, error);
  target_->peer_ended(*peer);
  sender_->peer_ended(*peer, error);
  receiver_->peer_ended(*peer, error);
}

void Endpoint::bulk_let_go(stream::BulkOperation& operation, std::size_t length,
                           int error) noexcept {
  if (!streams_) return;  // the endpoint is going, and the requests with it
  auto& bulk = static_cast<Bulk&>(operation);
  if (bulk.send)
    sender_->bulk_let_go(*bulk.send, error);
  else
    receiver_->bulk_let_go(*bulk.receive, length, error);
}

// ---- Parting ----

void Endpoint::part() noexcept {
  if (parts_.gatekeeper) parts_.gatekeeper->close();
  streams_->begin_closing();
  reporter_.mute();
  target_->tick();  // answers no longer wait for room in a queue
  receiver_->leave_shared();
}

// Whether the peer still has to take something that the user has been told is sent.
bool Endpoint::unfinished(const Peer& peer) const noexcept {
  const stream::Session* session = peer.session;
  if (!session || peer.self) return false;
  if (!sender_->flushed(peer)) return true;
  if (!session->open()) return false;  // a greeting with nothing to say, or closed
  // Who has said goodbye waits for none: ours may lack the room that nobody makes any more.
  return !session->drained() || !(session->goodbye_sent() || session->goodbye_taken());
}

bool Endpoint::parted() noexcept {
  bool done = true;
  bool doubtful = false;
  streams_->flush_owing();
  peers_.for_each([&](Peer& peer) {
    stream::Session* session = peer.session;
    if (session && !peer.self && session->open() && sender_->flushed(peer)) session->say_goodbye();
    if (unfinished(peer)) done = false;
    // An acknowledgement that can't be said yet, or, on a way that loses frames, one that the peer
    // may ask for again.
    doubtful =
        doubtful ||
        (session && (session->owes_ack() || (session->troubled() && !session->goodbye_taken())));
  });
  if (!done) return false;
  doubtful = doubtful || streams_->sending();
  // Not for ever: who it is for may be dead, and nobody looks for evidence of that.
  const util::Nanoseconds now = streams_->now();
  if (leave_at_ == 0) leave_at_ = now + parts_.config.quiet;
  return !doubtful || now >= leave_at_;
}

void Endpoint::say_unfinished() noexcept {
  peers_.for_each([&](Peer& peer) {
    if (!unfinished(peer)) return;
    const stream::Session& session = *peer.session;
    util::log(util::Level::kWarn,
              "endpoint %s closes although %s has not acknowledged everything (FI_XS_LINGER): "
              "%zu sends wait, %llu frames are unacknowledged%s%s",
              name().text().c_str(), peer.home.text().c_str(), Sender::under_way(peer),
              static_cast<unsigned long long>(session.unacknowledged()),
              session.open() ? "" : ", it answers no greeting",
              session.goodbye_taken() ? ", it has said goodbye" : "");
  });
}

void Endpoint::close(std::span<Endpoint* const> others) noexcept {
  part();
  const util::Nanoseconds deadline = parts_.clock.now() + parts_.config.linger;
  unsigned idle = 0;
  while (!parted()) {
    if (parts_.clock.now() >= deadline) {
      say_unfinished();
      break;
    }
    progress();
    for (Endpoint* other : others)
      if (other != this) other->progress();
    if (++idle > 1000) sched_yield();
  }
  write_statistics(*this, parts_.config.stats);
}

}  // namespace xs::core
