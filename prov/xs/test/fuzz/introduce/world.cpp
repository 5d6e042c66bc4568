// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the world is made, what its user is told, and what must hold.
#include "fuzz/introduce/world.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using hv::LinkState;

// ---- Making it ----

// Below all of those that are called, above all of those that call.
Names::Names() : last_(0x4000000000000000 | static_cast<std::uint64_t>(getpid()) << 32) {}

IntroduceWorld::IntroduceWorld(util::Bytes input) : LinkWorld(input) {
  auto opened = hv::Local::open("", names_);
  require(static_cast<bool>(opened));
  local_ = std::move(*opened);
  held_ = test::holdings();
  for (std::size_t i = 0; i < kPeers; ++i) {
    Peer& peer = peers_[i];
    const bool calls = i < kPeers / 2;
    peer.card = calls ? test::RawPeer::card_below(local_->card())
                      : test::RawPeer::card_above(local_->card());
    peer.card.process.low += i;
    if (calls) continue;
    peer.listener = hv::UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    require(test::RawPeer::listen_as(peer.card, peer.listener));
  }
}

// ---- What the user is told ----

Acquaintance& IntroduceWorld::owner_of(const hv::Link& link) {
  const auto peer =
      std::ranges::find_if(peers_, [&](const Peer& each) { return each.link.get() == &link; });
  require(peer != peers_.end());
  return *peer;
}

void IntroduceWorld::budget_changed() noexcept { require(false); }
void IntroduceWorld::moved() noexcept { require(false); }
void IntroduceWorld::pause_changed() noexcept { require(false); }

// ---- What must hold ----

void IntroduceWorld::check() {
  for (Peer& peer : peers_) {
    for (const Mapped& each : peer.mapped) require_readable(*each.mapping, each.size);
    for (const OwnShare& each : peer.shares)
      require(std::ranges::all_of(each.share->bytes(),
                                  [&](std::byte byte) { return byte == each.pattern; }));
    if (peer.link && peer.link->state() == LinkState::kLost) require_ended(*peer.link);
  }
  // It lacks nothing here: a liar must not make it believe so.
  require(local_->counters().exhausted == 0 && local_->counters().other_user == 0);
}

void IntroduceWorld::goes_on() {
  progress();
  check();
  for (Peer& peer : peers_) {
    peer.sockets.clear();
    peer.listener.reset();
  }
  progress();
  for (Peer& peer : peers_) {
    require(!peer.link || peer.link->state() != LinkState::kOpen);
    if (script_.next() % 2 == 0) peer.link.reset();
    peer.files.clear();
  }
  check();
  for (Peer& peer : peers_) {
    peer.mapped.clear();
    peer.shares.clear();
    peer.link.reset();
  }
  progress();
  require(test::holdings() == held_);
  {
    auto honest = hv::Local::open("", names_);
    require(static_cast<bool>(honest));
    meets(*local_, peers_[0], **honest);
  }
  progress();
  require(test::holdings() == held_);
}

}  // namespace xs::fuzz
