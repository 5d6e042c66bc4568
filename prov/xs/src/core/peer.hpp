// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <array>
#include <cstdint>
#include <deque>

#include "core/read_choice.hpp"
#include "core/request.hpp"
#include "core/rma.hpp"
#include "proto/address.hpp"
#include "proto/frame.hpp"
#include "stream/session.hpp"

namespace xs::core {

struct PathCounters {
  std::uint64_t sent_messages = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_messages = 0;
  std::uint64_t received_bytes = 0;
};

// A protocol answer (CTS, FIN, SENT, DONE) that waits for room in the window. Answers go before
// messages: taking never waits for giving.
struct Reply {
  proto::Kind kind;
  std::array<std::byte, proto::Cts::kSize> body;
  std::uint8_t size;
};

// Another endpoint, by the address that it is known by; outlives its sessions.
//
// Invariant: nothing overtakes. What the stream can't take waits in replies, streaming (DATA of
// granted sends), rma.answers and pending, and a send goes straight to the stream only if pending
// is empty.
struct Peer {
  proto::Address home;
  PeerAddress number = kAnyPeer;       // in the address book, if it is there
  PeerAddress last_number = kAnyPeer;  // the same, kept after removal for the statistics
  stream::Session* session = nullptr;
  bool self = false;
  std::deque<Reply> replies;
  util::IntrusiveList<Queued> pending;
  util::IntrusiveList<SendRequest> announced;
  util::IntrusiveList<ReceiveRequest> receiving;
  std::uint32_t followed = 0;          // eager sends that have not ended, beside those in announced
  bool pumping = false;                // Sender::pump is at work
  std::uint32_t streaming = 0;         // sends in announced that still have DATA to give
  std::size_t announcements = 0;       // of the peer that are not matched yet, live and dead
  std::size_t dead_announcements = 0;  // of sessions that have ended
  std::size_t early_bytes = 0;         // of its messages that are buffered, heads included
  PathCounters fabric;
  PathCounters ring;
  std::uint64_t replayed = 0;  // of sessions that have ended
  stream::PathCounters paths;  // likewise
  stream::MoveTimes moves;     // likewise
  bool moved = false;          // its process or ours has, and no ring was joined since
  PeerRma rma;
  ReadPaces paces;                      // of what it sends
  ReadChoice short_way, long_way;       // of what we send
  SourceId shared_source = kAnySource;  // what SharedReceives know it by; kAnySource: not yet

  // The counters of the path by which a frame of the session leaves or comes now.
  PathCounters& leaves_by() noexcept { return session && session->writes_ring() ? ring : fabric; }
  PathCounters& arrives_by() noexcept {
    return session && session->takes_from_ring() ? ring : fabric;
  }
  // The same of operations on remote memory.
  RmaTraffic& rma_leaves_by() noexcept {
    return session && session->writes_ring() ? rma.ring : rma.fabric;
  }
  RmaTraffic& rma_arrives_by() noexcept {
    return session && session->takes_from_ring() ? rma.ring : rma.fabric;
  }

  SourceId source() const noexcept { return reinterpret_cast<SourceId>(this); }
};

}  // namespace xs::core
