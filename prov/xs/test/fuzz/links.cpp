// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fuzz/links.hpp"

#include <algorithm>
#include <cerrno>

#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using hv::LinkState;

void LinkWorld::opened(hv::Link& link) noexcept {
  Acquaintance& peer = owner_of(link);
  require(peer.told == LinkState::kMeeting && link.state() == LinkState::kOpen);
  peer.told = LinkState::kOpen;
  perhaps_let_go(peer);
}

void LinkWorld::told_while_open(hv::Link& link) {
  Acquaintance& peer = owner_of(link);
  require(peer.told == LinkState::kOpen && link.state() == LinkState::kOpen);
  perhaps_let_go(peer);
}

void LinkWorld::lost(hv::Link& link, hv::Loss why) noexcept {
  Acquaintance& peer = owner_of(link);
  require(peer.told != LinkState::kLost && link.state() == LinkState::kLost);
  require(may_be_lost(why));
  peer.told = LinkState::kLost;
  perhaps_let_go(peer);
}

int LinkWorld::meet(hv::Backend& backend, Acquaintance& peer, const hv::Card& card) {
  const bool known = static_cast<bool>(peer.link);
  auto met = backend.meet(card);
  if (!met) {
    require(met.error().code != EALREADY || known);
    return met.error().code;
  }
  require(!known);
  peer.link = std::move(*met);
  peer.told = LinkState::kMeeting;
  return 0;
}

void LinkWorld::progress(hv::Backend& backend) {
  constexpr int kMostRounds = 1000;
  int rounds = 0;
  for (int quiet = 0; quiet < 3; ++rounds) {
    require(rounds < kMostRounds);
    quiet += backend.progress(*this) ? 0 : 1;
  }
}

void LinkWorld::meets(hv::Backend& ours, Acquaintance& peer, hv::Backend& honest) {
  test::Told told;
  require(meet(ours, peer, honest.card()) == 0);
  auto back = honest.meet(ours.card());
  require(static_cast<bool>(back));
  for (int i = 0; i < 8; ++i) {
    ours.progress(*this);
    honest.progress(told);
  }
  require(peer.link && peer.told == LinkState::kOpen && told.openings == 1);
  auto shared = (*back)->share(7);
  require(static_cast<bool>(shared));
  std::ranges::fill((*shared)->bytes(), std::byte{0x3c});
  for (int i = 0; i < 4; ++i) ours.progress(*this);
  auto mapping = peer.link->map((*shared)->offer());
  require(static_cast<bool>(mapping));
  require(std::ranges::equal((*mapping)->bytes(), (*shared)->bytes()));
  (*mapping).reset();
  (*shared).reset();
  peer.link.reset();
}

void LinkWorld::require_ended(hv::Link& link) {
  require(link.ring() == hv::Rang::kNotOpen);
  require(link.share(1).error().code == ENOTCONN);
  require(link.map(hv::Offer{}).error().code == ENOTCONN);
}

void LinkWorld::require_readable(const hv::Mapping& mapping, std::size_t size) {
  const auto bytes = mapping.bytes();
  require(bytes.size() == size);
  for (std::size_t at = 0; at < size; at += hv::kPageSize)
    [[maybe_unused]] const auto byte = *reinterpret_cast<const volatile char*>(&bytes[at]);
}

}  // namespace xs::fuzz
