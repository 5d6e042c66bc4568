// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/peer_report.hpp"

namespace xs::core {

namespace {

void add_session(PeerReport& report, const stream::Session& session) noexcept {
  const stream::Path& path = session.path();
  report.replayed += session.counters().replayed;
  report.paths += session.path_counters();
  report.moves += session.move_times();
  report.epoch = path.epoch;
  if (path.ring && path.ring->shared()) report.ring_pages = path.ring->pages();
  if (const auto place = locality::place_of(session.peer_card())) report.place = *place;
  if (!session.open()) return;
  report.path = session.writes_ring() ? PeerPath::kRing : PeerPath::kFabric;
  report.since = path.since;
}

}  // namespace

PeerReport report_of(const Peer& peer) noexcept {
  PeerReport report{.fabric = peer.fabric,
                    .ring = peer.ring,
                    .replayed = peer.replayed,
                    .paths = peer.paths,
                    .moves = peer.moves};
  if (peer.session) add_session(report, *peer.session);
  if (peer.self) report.path = PeerPath::kSelf;
  return report;
}

}  // namespace xs::core
