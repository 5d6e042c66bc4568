// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/receiver.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/sender.hpp"
#include "util/log.hpp"

namespace xs::core {

Receiver::~Receiver() {
  const auto drop_all = [this](Matcher& matcher) {
    matcher.for_each_posted([&](PostedReceive& posted) {
      matcher.remove(posted);
      requests_.drop(&static_cast<ReceiveRequest&>(posted));
    });
    matcher.for_each_unexpected([&](UnexpectedMessage& message) {
      matcher.remove(message);
      unexpected_.drop(&static_cast<Unexpected&>(message));
    });
  };
  drop_all(tagged_);
  drop_all(message_);
  for (auto& [context, message] : claimed_) unexpected_.drop(message);
  peers_.for_each([this](Peer& peer) {
    while (!peer.receiving.empty()) {
      ReceiveRequest& receive = peer.receiving.pop_front();
      if (receive.parent && lender_ && --receive.parent->parts == 0 && !receive.parent->queued())
        give_back(*receive.parent);
      requests_.drop(&receive);
    }
  });
}

Completion Receiver::completion(const ReceiveRequest& receive, const Arrival& arrival) noexcept {
  return {.context = receive.context,
          .flags = arrival.has_data ? FI_REMOTE_CQ_DATA : 0,
          .length = 0,
          .buffer = receive.parent ? receive.memory.first() : nullptr,
          .data = arrival.data,
          .tag = arrival.tag,
          .source = arrival.peer->number};
}

ReceiveRequest* Receiver::match(const Arrival& arrival, std::size_t length) noexcept {
  Matcher& from = matcher(arrival.tagged);
  PostedReceive* posted = from.peek(envelope(arrival));
  if (!posted) return nullptr;
  auto& receive = static_cast<ReceiveRequest&>(*posted);
  if (receive.flags & kOpMultiReceive) return part_of(receive, length);
  ReceiveRequest* const mine = own(receive);
  if (mine) from.remove(receive);
  if (mine && mine != &receive) shared_->drop(receive);
  return mine;
}

// The request to go on with: a copy of what was posted elsewhere, which stays; nullptr: no memory.
ReceiveRequest* Receiver::own(ReceiveRequest& posted) noexcept {
  if (!shared_) return &posted;
  ReceiveRequest* const mine = requests_.make();
  if (!mine) return nullptr;
  mine->memory = posted.memory;
  mine->flags = posted.flags | more_flags_;
  mine->context = posted.context;
  mine->selector = posted.selector;
  return mine;
}

// Borrows the next free bytes of a multi-receive; the posted buffer keeps its place until too
// little is left of it.
ReceiveRequest* Receiver::part_of(ReceiveRequest& parent, std::size_t length) noexcept {
  ReceiveRequest* part = requests_.make();
  if (!part) return nullptr;
  const std::size_t left = parent.memory.size() - parent.used;
  const std::size_t size = std::min(length, left);
  part->memory = UserMemory::of(parent.memory.run(parent.used).data(), size);
  part->context = parent.context;
  part->flags = parent.flags | more_flags_;
  part->parent = &parent;
  parent.used += size;
  ++parent.parts;
  const std::size_t least = lender_ ? lender_->min_multi_receive() : min_multi_receive_;
  if (parent.memory.size() - parent.used < std::max<std::size_t>(least, 1) && parent.queued())
    matcher(false).remove(parent);
  return part;
}

// Reports a receive and gives its request back.
void Receiver::finish(ReceiveRequest& receive, const Arrival& arrival, std::size_t placed,
                      std::size_t total, int error) noexcept {
  report(receive, arrival, placed, total, error);
  requests_.drop(&receive);
}

Taken Receiver::eager_received(Peer& peer, proto::Envelope envelope, std::uint8_t flags,
                               Payload& payload) noexcept {
  const Arrival arrival{&peer, envelope.tag, envelope.data, (flags & proto::kCqData) != 0,
                        (flags & proto::kTagged) != 0};
  const Taken taken = place_or_buffer(arrival, payload);
  if (taken == Taken::kYes) count_received(peer, payload.size());
  return taken;
}

// Copies into the receive that matches; only if the payload stood until then does it leave the
// matcher.
Taken Receiver::place_or_buffer(const Arrival& arrival, Payload& payload) noexcept {
  Matcher& from = matcher(arrival.tagged);
  PostedReceive* const posted = from.peek(envelope(arrival));
  if (!posted) return floods(*arrival.peer) ? Taken::kLie : buffer(arrival, payload);
  auto& receive = static_cast<ReceiveRequest&>(*posted);
  if (receive.flags & kOpMultiReceive) return place_part(receive, arrival, payload);
  const std::size_t placed = receive.memory.fill_from(payload, 0);
  if (!payload.take()) return Taken::kVanished;
  ReceiveRequest* const mine = own(receive);
  if (!mine) return Taken::kLie;  // no memory
  from.remove(receive);
  if (mine != &receive) shared_->drop(receive);
  finish(*mine, arrival, placed, payload.size(), 0);
  return Taken::kYes;
}

// The same for a part of a multi-receive.
Taken Receiver::place_part(ReceiveRequest& whole, const Arrival& arrival,
                           Payload& payload) noexcept {
  const std::size_t placed = whole.memory.fill_from(payload, whole.used);
  if (!payload.take()) return Taken::kVanished;
  ReceiveRequest* const part = part_of(whole, payload.size());
  if (!part) return Taken::kLie;  // no memory
  finish(*part, arrival, placed, payload.size(), 0);
  return Taken::kYes;
}

// Whether the peer goes on with EAGER although it has been told to announce only. When it was told,
// it held less than `unexpected` here, and could still send what its window had room for: every
// later frame needs an acknowledgement that tells it again. Acknowledgements of different lanes may
// overtake each other and take the word back for a while, so only far beyond that it is a lie.
bool Receiver::floods(const Peer& peer) const noexcept {
  const std::size_t window = limits_.window * (limits_.eager + sizeof(Unexpected));
  return peer.early_bytes > limits_.unexpected + 4 * window;
}

void Receiver::deliver(ReceiveRequest& receive, const Arrival& arrival,
                       util::Bytes payload) noexcept {
  const std::size_t placed = receive.memory.copy_from(payload, 0);
  finish(receive, arrival, placed, payload.size(), 0);
}

void Receiver::report(ReceiveRequest& receive, const Arrival& arrival, std::size_t placed,
                      std::size_t total, int error) noexcept {
  Completion done = completion(receive, arrival);
  done.length = placed;
  const std::size_t overflow = error == 0 ? total - placed : 0;
  if (overflow > 0) error = kTruncated;
  ReceiveRequest* parent = receive.parent;
  if (parent) --parent->parts;
  // A multi-receive goes back with its last message, and only when no earlier one is still being
  // filled.
  const bool last = parent && !parent->queued() && parent->parts == 0;
  if (last) done.flags |= FI_MULTI_RECV;
  if (error == 0)
    reporter_.received(receive.flags, done);
  else
    reporter_.receive_failed(receive.flags, done, error, overflow);
  if (last) give_back(*parent);
  receive.parent = nullptr;
}

// A multi-receive's buffer, of which nothing is left and nothing under way. The one who closes
// tells nobody.
void Receiver::give_back(ReceiveRequest& parent) noexcept {
  if (!lender_) return requests_.drop(&parent);
  if (!shared_) lender_->tell_free(parent);
  lender_->drop(parent);
}

// ---- Too early ----

void Receiver::count_unexpected(Peer& peer, std::ptrdiff_t bytes) noexcept {
  peer.early_bytes += static_cast<std::size_t>(bytes);
  unexpected_bytes_ += static_cast<std::size_t>(bytes);
  streams_.set_rts_only(unexpected_bytes_ > limits_.unexpected);
}

Taken Receiver::buffer(const Arrival& arrival, Payload& payload) noexcept {
  Unexpected* message = unexpected_.make();
  const std::size_t size = payload.size();
  if (message && size > 0) message->payload.reset(new (std::nothrow) std::byte[size]);
  if (!message || (size > 0 && !message->payload)) {
    if (message) unexpected_.drop(message);
    util::log(util::Level::kWarn, "no memory to buffer a message of %s: its session ends",
              arrival.peer->home.text().c_str());
    return Taken::kLie;
  }
  payload.copy(0, message->payload.get(), size);
  if (!payload.take()) {
    unexpected_.drop(message);
    return Taken::kVanished;
  }
  message->envelope = envelope(arrival);
  message->receiver = this;
  message->peer = arrival.peer;
  message->data = arrival.data;
  message->has_data = arrival.has_data;
  message->tagged = arrival.tagged;
  message->length = size;
  count_unexpected(*arrival.peer, static_cast<std::ptrdiff_t>(sizeof(Unexpected) + size));
  matcher(arrival.tagged).add_unexpected(*message);
  return Taken::kYes;
}

Unexpected* Receiver::buffer_announcement(const Arrival& arrival,
                                          const Announced& announced) noexcept {
  Unexpected* message = unexpected_.make();
  if (!message) return nullptr;
  message->envelope = envelope(arrival);
  message->receiver = this;
  message->peer = arrival.peer;
  message->data = arrival.data;
  message->has_data = arrival.has_data;
  message->tagged = arrival.tagged;
  message->announced = true;
  message->length = announced.length;
  message->send_id = announced.send_id;
  message->address = announced.address;
  matcher(arrival.tagged).add_unexpected(*message);
  return message;
}

void Receiver::drop_unexpected(Unexpected& message) noexcept {
  if (!message.announced) {
    count_unexpected(*message.peer,
                     -static_cast<std::ptrdiff_t>(sizeof(Unexpected) + message.length));
  } else if (!message.own) {
    --message.peer->announcements;
    if (message.dead) --message.peer->dead_announcements;
  }
  unexpected_.drop(&message);
}

// A message that has waited meets its receive; both have left the matcher.
void Receiver::take_unexpected(ReceiveRequest& receive, Unexpected& message) noexcept {
  const Arrival arrival{message.peer, message.envelope.tag, message.data, message.has_data,
                        message.tagged};
  if (!message.announced) {
    deliver(receive, arrival, {message.payload.get(), message.length});
  } else if (message.own) {
    take_own(receive, *message.own, arrival);
  } else if (message.dead) {
    finish(receive, arrival, 0, 0, ECONNRESET);
  } else {
    begin_rendezvous(receive, arrival, {message.length, message.send_id, message.address});
  }
  drop_unexpected(message);
}

// ---- Messages to ourselves ----

OwnResult Receiver::own_message(const OwnMessage& own) noexcept {
  Peer* self = peers_.of(own.op.to);
  const Arrival arrival{self, own.op.tag, own.op.data, (own.op.flags & kOpData) != 0,
                        (own.op.flags & kOpTagged) != 0};
  const UserMemory memory(own.op.iov);
  self->fabric.sent_bytes += own.length;
  self->fabric.received_bytes += own.length;
  ++self->fabric.sent_messages;
  ++self->fabric.received_messages;
  if (ReceiveRequest* receive = match(arrival, own.length)) {
    std::size_t placed = 0;
    while (placed < own.length) {
      const std::size_t part = receive->memory.copy_from(memory.run(placed), placed);
      if (part == 0) break;
      placed += part;
    }
    finish(*receive, arrival, placed, own.length, 0);
    return OwnResult::kTaken;
  }
  if (own.length > limits_.eager) return OwnResult::kKeepsReference;
  std::unique_ptr<std::byte[]> flat(own.length ? new (std::nothrow) std::byte[own.length]
                                               : nullptr);
  if (own.length && !flat) return OwnResult::kNoMemory;
  memory.copy_to(flat.get(), 0, own.length);
  Payload payload(util::Bytes(flat.get(), own.length));
  return buffer(arrival, payload) == Taken::kYes ? OwnResult::kTaken : OwnResult::kNoMemory;
}

bool Receiver::own_announcement(SendRequest& send) noexcept {
  const Arrival arrival{send.peer, send.tag, send.data, (send.flags & kOpData) != 0,
                        (send.flags & kOpTagged) != 0};
  Unexpected* message = buffer_announcement(arrival, {send.memory.size(), 0, 0});
  if (message) message->own = &send;
  return message != nullptr;
}

void Receiver::take_own(ReceiveRequest& receive, SendRequest& send,
                        const Arrival& arrival) noexcept {
  std::size_t placed = 0;
  while (placed < send.memory.size()) {
    const std::size_t part = receive.memory.copy_from(send.memory.run(placed), placed);
    if (part == 0) break;
    placed += part;
  }
  finish(receive, arrival, placed, send.memory.size(), 0);
  sender_.own_done(send);
}

}  // namespace xs::core
