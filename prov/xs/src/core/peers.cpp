// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/peers.hpp"

#include <new>

namespace xs::core {

Peer* Peers::at(const proto::Address& home) noexcept try {
  if (const auto found = by_home_.find(home); found != by_home_.end()) return found->second.get();
  auto peer = std::make_unique<Peer>();
  peer->home = home;
  if (book_) peer->number = peer->last_number = book_->find(home).value_or(kAnyPeer);
  return by_home_.emplace(home, std::move(peer)).first->second.get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

void Peers::forget(const proto::Address& home) noexcept {
  const auto found = by_home_.find(home);
  if (found == by_home_.end()) return;
  const Peer& peer = *found->second;
  if (!peer.self && !peer.session && peer.last_number == kAnyPeer) by_home_.erase(found);
}

Peer* Peers::resolve(PeerAddress number) noexcept try {
  const proto::Address* found = book_ ? book_->lookup(number) : nullptr;
  if (!found) return nullptr;
  const proto::Address home = *found;  // the book may grow when it is asked again
  Peer* peer = at(home);
  if (!peer) return nullptr;
  if (by_number_.size() <= number) by_number_.resize(number + 1);
  peer->number = peer->last_number = number;
  return by_number_[number] = peer;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void Peers::inserted(PeerAddress number, const proto::Address& home) noexcept {
  const auto found = by_home_.find(home);
  if (found != by_home_.end()) found->second->number = found->second->last_number = number;
}

void Peers::removed(PeerAddress number) noexcept {
  if (number < by_number_.size()) by_number_[number] = nullptr;
  for (auto& [home, peer] : by_home_)
    if (peer->number == number) peer->number = kAnyPeer;
}

}  // namespace xs::core
