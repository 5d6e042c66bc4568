// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/peer.hpp"
#include "locality/neighbours.hpp"
#include "util/clock.hpp"

namespace xs::core {

enum class PeerPath : std::uint8_t { kNone, kFabric, kRing, kSelf };

// What an endpoint knows of a peer at this moment, of all their sessions.
struct PeerReport {
  PeerPath path = PeerPath::kNone;  // by which frames leave; kNone: no session is open
  std::uint64_t epoch = 0;          // of the ring, or of the last one
  util::Nanoseconds since = 0;      // when that path was taken
  PathCounters fabric;
  PathCounters ring;
  std::uint64_t replayed = 0;  // frames
  stream::PathCounters paths;
  stream::MoveTimes moves;
  std::size_t ring_pages = 0;     // ours
  locality::Place place{~0u, 0};  // as the peer said last; generation 0: not known
};

PeerReport report_of(const Peer& peer) noexcept;

}  // namespace xs::core
