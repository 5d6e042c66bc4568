// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What an endpoint hears of its neighbours, and of its own machine: docs/paths.md, docs/hv.md.
#include <utility>

#include "core/endpoint.hpp"

namespace xs::core {

// The peer's process may be one that shares memory with ours.
void Endpoint::introduce(stream::Session& session) noexcept {
  if (!parts_.neighbours) return;
  if (hv::Link* link = parts_.neighbours->meet(session.peer_card())) session.neighbour_open(*link);
}

// Of a peer that is paused, or not any more, it is hv that tells whether the link is lost.
void Endpoint::card_changed(stream::Session& session, const stream::Card& before) noexcept {
  const bool moved = !locality::same_life(before, session.peer_card());
  if (moved) {
    session.neighbour_lost(stream::LeaveReason::kLink);
    session.moved(streams_->now());
  }
  session.set_peer_paused(locality::is_paused(session.peer_card()));
  introduce(session);
  if (moved && session.owner) static_cast<Peer*>(session.owner)->moved = true;
  tell_refreshed();
}

void Endpoint::ring_joined(stream::Session& session) noexcept {
  if (session.owner && std::exchange(static_cast<Peer*>(session.owner)->moved, false))
    tell_refreshed();
}

template <class F>
void Endpoint::for_each_of(const locality::Process& process, F&& f) noexcept {
  peers_.for_each([&](Peer& peer) {
    if (peer.session && locality::process_of(peer.session->peer_card()) == process)
      f(*peer.session);
  });
}

bool Endpoint::knows(const locality::Process& process) noexcept {
  bool knows = false;
  for_each_of(process, [&](stream::Session&) { knows = true; });
  return knows;
}

void Endpoint::neighbour_open(const locality::Process& process, hv::Link& link) noexcept {
  for_each_of(process, [&](stream::Session& session) { session.neighbour_open(link); });
}

void Endpoint::neighbour_shares(const locality::Process& process) noexcept {
  for_each_of(process, [&](stream::Session& session) { session.consider_ring(streams_->now()); });
}

namespace {
stream::LeaveReason reason_of(hv::Loss why) noexcept {
  switch (why) {
    case hv::Loss::kMoved:
      return stream::LeaveReason::kMoved;
    case hv::Loss::kPaused:
      return stream::LeaveReason::kPaused;
    default:
      return stream::LeaveReason::kLink;
  }
}
}  // namespace

void Endpoint::neighbour_lost(const locality::Process& process, hv::Loss why) noexcept {
  const auto reason = reason_of(why);
  for_each_of(process, [&](stream::Session& session) {
    session.neighbour_lost(reason);
    if (why == hv::Loss::kGone) session.doubt_route(streams_->now());
  });
}

void Endpoint::neighbour_parted(const locality::Process& process) noexcept {
  for_each_of(process, [&](stream::Session& session) {
    if (session.open() && !session.path().link) introduce(session);
  });
}

void Endpoint::we_moved() noexcept {
  streams_->set_card(parts_.neighbours->card());
  streams_->tell_card();
  const bool announced = std::exchange(paused_, parts_.neighbours->paused());
  peers_.for_each([&](Peer& peer) {
    if (!peer.session) return;
    peer.moved = true;
    // It may have been announced to it as well, while we could not hear it.
    if (announced) peer.session->excuse_silence();
    peer.session->moved(streams_->now());
    if (peer.session->open()) introduce(*peer.session);
  });
  tell_refreshed();
}

// Peers are told, whether they are neighbours or not: they are not to wait for us in vain, nor to
// try what must fail. Who is no neighbour may become one, once that is over.
void Endpoint::we_paused() noexcept {
  paused_ = parts_.neighbours->paused();
  streams_->set_card(parts_.neighbours->card());
  streams_->tell_card();
  peers_.for_each([&](Peer& peer) {
    if (peer.session && peer.session->open() && !peer.session->path().link)
      introduce(*peer.session);
  });
  tell_refreshed();
}
}  // namespace xs::core
