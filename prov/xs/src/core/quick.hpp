// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What most calls of fi_tagged(3) ask for, defined inline for the C face, where it becomes one
// function from the call to the ring: a small message in one piece to a peer with a ring, a receive
// in one piece while nothing has come too early. Arguments stay in registers, and nothing is
// called. Whatever is not the usual case is left to send() and receive(), which would do the same.
#pragma once
#include "core/endpoint.hpp"
#include "stream/ring_writing.hpp"

namespace xs::core {

// The conditions are those of send_in_ring(). What is so small fits a frame by any path.
static_assert(util::kCopiedInline + proto::kEnvelopeSize + proto::kPrefixSize <=
              proto::kSmallestFrame);
[[gnu::always_inline]] inline bool Sender::send_quickly(util::Bytes payload, PeerAddress to,
                                                        const SendPlan& plan) noexcept {
  Peer* const peer = peers_.known(to);
  const std::uint32_t flags = plan.flags;
  if (!peer || payload.size() > quickest_ || waits_for_ack(flags)) return false;
  stream::Session* const session = peer->session;
  if (!session || !session->usual() || !peer->pending.empty()) return false;
  CompletionQueue* const queue = reporter_.sent_queue(flags);
  if (queue && queue->full()) return false;
  const stream::Quick put = session->put_quickly(
      proto::Kind::kEager, frame_flags_without_ack(flags), {plan.tag, plan.data}, payload);
  if (put == stream::Quick::kNo) return false;
  count_in_ring(*peer, payload.size());
  if (queue) Reporter::write_sent(*queue, flags, plan.context);
  if (put == stream::Quick::kPutRing) [[unlikely]]
    session->ring_bell();
  return true;
}

// The conditions are those of receive() and post().
[[gnu::always_inline]] inline bool Receiver::receive_quickly(std::span<std::byte> memory,
                                                             PeerAddress from,
                                                             const ReceivePlan& plan) noexcept {
  if (!reporter_.receive_room() || !tagged_.takes_quickly() || posted() >= kReceiveLimit)
    return false;
  SourceId source = kAnySource;
  if (limits_.directed && from != kAnyPeer) {
    const Peer* const peer = peers_.known(from);
    if (!peer) return false;
    source = peer->source();
  }
  ReceiveRequest* const receive = requests_.make_if_free(memory);
  if (!receive) return false;
  receive->flags = plan.flags;
  receive->context = plan.context;
  receive->selector = {source, plan.tag, plan.ignore};
  tagged_.post_quickly(*receive);
  return true;
}

[[gnu::always_inline]] inline bool Endpoint::send_quickly(util::Bytes payload, PeerAddress to,
                                                          const SendPlan& plan) noexcept {
  return sender_->send_quickly(payload, to, plan);
}
[[gnu::always_inline]] inline bool Endpoint::receive_quickly(std::span<std::byte> memory,
                                                             PeerAddress from,
                                                             const ReceivePlan& plan) noexcept {
  return receiver_->receive_quickly(memory, from, plan);
}

}  // namespace xs::core
