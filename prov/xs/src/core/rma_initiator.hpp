// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The side of an endpoint that reads and writes the memory of others: docs/rma.md section 2.
#pragma once
#include <cstdint>

#include "core/id_table.hpp"
#include "core/peers.hpp"
#include "core/reporter.hpp"
#include "core/rma.hpp"
#include "core/types.hpp"
#include "stream/streams.hpp"
#include "util/pool.hpp"

namespace xs::core {

class Sender;
class RmaTarget;
using stream::Payload;
using stream::Taken;

class RmaInitiator {
 public:
  RmaInitiator(Peers& peers, Reporter& reporter, Sender& sender, RmaTarget& target) noexcept
      : peers_(peers), reporter_(reporter), sender_(sender), target_(target) {}
  ~RmaInitiator();

  Status start(const RmaOp& op) noexcept;
  // The call is valid, and its results have at most proto::kLargestResult bytes.
  Status start(const AtomicOp& op) noexcept { return start_any(op); }
  // Takes back an operation that has not begun.
  bool cancel(void* context) noexcept;

  // Gives the stream what it takes now of the operation that is first in Peer::pending. True: all
  // is given, and it is not there any more.
  bool give(RmaRequest& request) noexcept;
  // False, kLie: the peer lies.
  Taken got_received(Peer& peer, util::Bytes head, Payload& payload) noexcept;
  bool done_received(Peer& peer, const proto::Done& done) noexcept;
  // Everything towards the peer ends in error.
  void peer_ended(Peer& peer, int error) noexcept;
  // The same, except for what has not begun.
  void goodbye_taken(Peer& peer) noexcept;
  // What has not begun ends in error.
  void fail_pending(Peer& peer, int error) noexcept;

 private:
  template <class Op>
  Status start_any(const Op& op) noexcept;
  // With what all operations have; nullptr: no memory.
  template <class Op>
  RmaRequest* make_any(Peer& peer, const Op& op) noexcept;
  RmaRequest* make_request(Peer& peer, const RmaOp& op) noexcept;
  RmaRequest* make_request(Peer& peer, const AtomicOp& op) noexcept;
  bool make_copy(RmaRequest& request, std::size_t size) noexcept;
  RmaRequest* with_id(RmaRequest& request) noexcept;
  Status perform_own(Peer& self, const RmaOp& op) noexcept;
  Status perform_own(Peer& self, const AtomicOp& op) noexcept;
  bool give_read(RmaRequest& request) noexcept;
  bool give_out(RmaRequest& request) noexcept;
  static void encode_head(const RmaRequest& request, std::byte* to) noexcept;
  void given(RmaRequest& request) noexcept;
  RmaRequest* answered(Peer& peer, std::uint64_t id) noexcept;
  void finish(RmaRequest& request, int error) noexcept;
  void end(RmaRequest& request, int error) noexcept;

  Peers& peers_;
  Reporter& reporter_;
  Sender& sender_;
  RmaTarget& target_;
  util::Pool<RmaRequest> requests_;
  IdTable<RmaRequest> ids_;
};

}  // namespace xs::core
