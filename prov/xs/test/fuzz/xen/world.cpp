// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the world is made, what its user is told, and what must hold.
#include "fuzz/xen/world.hpp"

#include <unistd.h>

#include <algorithm>

#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using hv::LinkState;

XenWorld::XenWorld(util::Bytes input)
    : LinkWorld(input),
      // A process is seen by a socket's name, in which no other one of this machine may be.
      dice_(std::make_unique<sim::Dice>(static_cast<std::uint64_t>(getpid()))),
      calls_(machine_.connect(kUs)),
      theirs_(machine_.connect(kThem)) {
  for (unsigned names = script_.next() % 16; names > 0; --names) put_name();
  const hv::Card card{.host = {1, kUs}, .process = {dice_->next(), 1}, .generation = 1};
  auto opened = hv::Xen::open(calls_, card, *dice_, hv::XenBellUse::kFabric, 0);
  require(static_cast<bool>(opened));
  xen_ = std::move(*opened);
  for (std::size_t i = 0; i < kPeers; ++i)
    peers_[i].card = {
        .host = {1, kThem}, .process = {0x1000 + i, 2}, .domid = kThem, .generation = 1};
  machine_.at_map = [this](std::uint32_t, std::uint32_t) {
    if (lies_ == 0) return;
    --lies_;
    script_.next() < 0xc0 ? change_grant() : take_back();
  };
}

XenWorld::~XenWorld() {
  machine_.at_map = nullptr;
  mapped_.clear();
  for (Peer& peer : peers_) {
    peer.shares.clear();
    peer.link.reset();
  }
  while (!granted_.empty()) take_back();
  xen_.reset();
}

std::string XenWorld::own_node() const { return hv::node_of(kUs, xen_->card().process).data(); }

// ---- What the user is told ----

Acquaintance& XenWorld::owner_of(const hv::Link& link) {
  const auto peer =
      std::ranges::find_if(peers_, [&](const Peer& each) { return each.link.get() == &link; });
  require(peer != peers_.end());
  return *peer;
}

// Nobody has a bell here.
void XenWorld::rung(hv::Link&) noexcept { require(false); }

// ---- What must hold ----

void XenWorld::check() {
  std::size_t open = 0, shared = 0;
  for (const Peer& peer : peers_) {
    for (const auto& each : peer.shares)
      shared += hv::granted_for((each->bytes().size() + hv::kHeadSize) / hv::kPageSize);
    if (!peer.link) continue;
    open += peer.link->state() == LinkState::kOpen;
    if (peer.link->state() == LinkState::kLost) require_ended(*peer.link);
  }
  for (const Mapped& each : mapped_) require_readable(*each.mapping, each.size);
  // A life page for each open link; and one of ours for each domain that we know somebody in.
  require(calls_->mapped() == open + mapped_.size());
  const std::size_t pages = machine_.used(kUs).pages;
  require(pages >= shared && pages <= shared + 1);
  // Whatever others say, what we say is a note.
  const std::string text = machine_.value(own_node());
  require(text.empty() || hv::parse_whole_note(text).has_value());
}

void XenWorld::goes_on() {
  lies_ = 0;
  machine_.remove("/local/domain/1/data/xs-here/quiesce");
  progress();
  check();
  for (Peer& peer : peers_) {
    if (script_.next() % 2 == 0) peer.link.reset();
    peer.shares.clear();
    peer.link.reset();
  }
  mapped_.clear();
  progress();
  require(machine_.used(kUs).pages == 0 && calls_->mapped() == 0);
  require(machine_.used(kUs).watches == 1);
  // What was announced in words that nobody understands is still believed.
  if (xen_->card().paused()) return;
  const hv::Card card{.host = {1, kHonest}, .process = {dice_->next(), 3}, .generation = 1};
  auto honest = hv::Xen::open(machine_.connect(kHonest), card, *dice_, hv::XenBellUse::kFabric, 0);
  require(static_cast<bool>(honest));
  meets(*xen_, peers_[0], **honest);
}

}  // namespace xs::fuzz
