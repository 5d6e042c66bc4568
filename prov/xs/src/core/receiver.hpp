// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The receiving half of an endpoint: matching, buffering what comes too early, and the receiver's
// side of rendezvous.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/id_table.hpp"
#include "core/matcher.hpp"
#include "core/peers.hpp"
#include "core/reporter.hpp"
#include "core/request.hpp"
#include "core/shared_receives.hpp"
#include "core/types.hpp"
#include "stream/streams.hpp"
#include "util/pool.hpp"

namespace xs::core {

class Sender;
using stream::Payload;
using stream::Taken;

// A message from this endpoint to itself; op's memory is valid during the call only.
struct OwnMessage {
  const SendOp& op;
  std::size_t length;
};
enum class OwnResult : std::uint8_t {
  kTaken,           // copied into a receive or a buffer
  kKeepsReference,  // too large to buffer: announce it
  kNoMemory,
};

// A message that is matched now: where it is from and what it carries.
struct Arrival {
  Peer* peer;
  std::uint64_t tag;
  std::uint64_t data;
  bool has_data;
  bool tagged;
};

// What an RTS tells besides its envelope.
struct Announced {
  std::uint64_t length;
  std::uint64_t send_id;
  std::uint64_t address;  // where it may be read in the sender's memory; 0: nowhere
};

class Receiver {
 public:
  struct Limits {
    std::size_t eager;       // bytes: larger messages to ourselves are not buffered
    std::size_t unexpected;  // bytes buffered before peers are asked to announce only
    std::size_t window;      // frames that a peer may have unacknowledged
    bool directed;           // ReceiveOp::from counts
    util::Nanoseconds quiet;
  };
  Receiver(stream::Streams& streams, Peers& peers, Reporter& reporter, Sender& sender,
           const Limits& limits) noexcept
      : streams_(streams), peers_(peers), reporter_(reporter), sender_(sender), limits_(limits) {}
  // Before anything comes: receives are posted there from now on, and not here. more: flags that
  // every such receive has here. Throws bad_alloc.
  void share(SharedReceives& shared, AddressBook* book, std::uint32_t more);
  // The endpoint closes: what comes from now on is nobody's.
  void leave_shared() noexcept;
  ~Receiver();

  Status receive(const ReceiveOp& op) noexcept;
  bool receive_quickly(std::span<std::byte> memory, PeerAddress from,
                       const ReceivePlan& plan) noexcept;
  bool cancel(void* context) noexcept;
  // Every receive that is posted.
  void cancel_all() noexcept;
  void set_min_multi_receive(std::size_t bytes) noexcept { min_multi_receive_ = bytes; }
  std::size_t min_multi_receive() const noexcept { return min_multi_receive_; }

  // Frames of a stream. False, kLie: the peer lies (or memory is exhausted: its session can't go
  // on). head: what stands before the payload.
  Taken eager_received(Peer& peer, proto::Envelope envelope, std::uint8_t flags,
                       Payload& payload) noexcept;
  Taken data_received(Peer& peer, util::Bytes head, Payload& payload) noexcept;
  // stream::Upper::usual_received
  unsigned usual_received(stream::Session& session, unsigned most) noexcept;
  bool rts_received(Peer& peer, const proto::FrameView& frame) noexcept;
  bool sent_received(Peer& peer, const proto::Sent& sent) noexcept;
  void bulk_let_go(ReceiveRequest& receive, std::size_t length, int error) noexcept;

  OwnResult own_message(const OwnMessage& message) noexcept;
  bool own_announcement(SendRequest& send) noexcept;

  // Matched rendezvous from the peer end in error; what is buffered whole stays, announcements end
  // in error when matched.
  void peer_ended(Peer& peer, int error) noexcept;
  // Takes back bulk receives whose SENT came a quiet interval ago without the bytes.
  void tick(util::Nanoseconds now) noexcept;
  std::size_t posted() const noexcept { return tagged_.posted_count() + message_.posted_count(); }
  // Matched, and not done yet.
  std::size_t under_way() const noexcept { return requests_.live() - posted(); }
  std::size_t unexpected_bytes() const noexcept { return unexpected_bytes_; }
  bool needs_tick() const noexcept { return !late_.empty(); }

  // For SharedReceives, which know what is posted and what waits.
  bool has_room() const noexcept { return reporter_.receive_room(); }
  ReceiveRequest* lend(const ReceiveOp& op) noexcept;
  ReceiveRequest* part_of(ReceiveRequest& parent, std::size_t length) noexcept;
  void take_unexpected(ReceiveRequest& receive, Unexpected& message) noexcept;
  void discard(Unexpected& message) noexcept;
  void finish_claim(const ReceiveOp& op, ReceiveRequest* receive, Unexpected& message) noexcept;
  void tell(std::uint32_t flags, const Completion& completion) noexcept {
    reporter_.tell(flags, completion);
  }
  void tell_missing(const ReceiveOp& op) noexcept;
  void tell_peeked(const ReceiveOp& op, const Unexpected& message) noexcept;
  void tell_cancelled(const ReceiveRequest& receive) noexcept;

 private:
  Matcher& matcher(bool tagged) noexcept {
    if (shared_) return shared_->matcher(tagged);
    return tagged ? tagged_ : message_;
  }
  Envelope envelope(const Arrival& arrival) noexcept {
    return {shared_ ? shared_->source(*arrival.peer) : arrival.peer->source(), arrival.tag};
  }
  static Completion completion(const ReceiveRequest& receive, const Arrival& arrival) noexcept;
  // The receive for an arriving message, taken out of the matcher (or a part of it, if it is a
  // multi-receive); nullptr if none.
  ReceiveRequest* match(const Arrival& arrival, std::size_t length) noexcept;
  ReceiveRequest* own(ReceiveRequest& posted) noexcept;
  void give_back(ReceiveRequest& parent) noexcept;
  void deliver(ReceiveRequest& receive, const Arrival& arrival, util::Bytes payload) noexcept;
  void finish(ReceiveRequest& receive, const Arrival& arrival, std::size_t placed,
              std::size_t total, int error) noexcept;
  void report(ReceiveRequest& receive, const Arrival& arrival, std::size_t placed,
              std::size_t total, int error) noexcept;
  static void count_received(Peer& peer, std::size_t bytes) noexcept {
    PathCounters& path = peer.arrives_by();
    ++path.received_messages;
    path.received_bytes += bytes;
  }
  bool floods(const Peer& peer) const noexcept;
  bool bury_announcement(Unexpected& message, const Peer& peer) noexcept;
  Taken take_usual(Peer& peer, const proto::Envelope& envelope, std::uint8_t flags,
                   stream::RingConsumer& ring, std::size_t offset, std::size_t size) noexcept;
  Taken place_or_buffer(const Arrival& arrival, Payload& payload) noexcept;
  Taken place_part(ReceiveRequest& whole, const Arrival& arrival, Payload& payload) noexcept;
  Taken buffer(const Arrival& arrival, Payload& payload) noexcept;
  Unexpected* buffer_announcement(const Arrival& arrival, const Announced& announced) noexcept;
  void drop_unexpected(Unexpected& message) noexcept;
  void count_unexpected(Peer& peer, std::ptrdiff_t bytes) noexcept;

  ReceiveRequest* prepare(const ReceiveOp& op, Status& why) noexcept;
  Status post(const ReceiveOp& op) noexcept;
  Status post_multi(const ReceiveOp& op) noexcept;
  Status peek(const ReceiveOp& op) noexcept;
  Status claimed(const ReceiveOp& op) noexcept;
  void take_back(ReceiveRequest& receive) noexcept;
  bool selector(const ReceiveOp& op, Selector& out) noexcept;
  ReceiveRequest* make_request(const ReceiveOp& op, const Selector& selector) noexcept;

  // Rendezvous
  void begin_rendezvous(ReceiveRequest& receive, const Arrival& arrival,
                        const Announced& announced) noexcept;
  void copy_long(Peer& peer, stream::RingConsumer& ring, std::size_t offset, std::byte* to,
                 std::size_t size) noexcept;
  bool read_directly(const ReceiveRequest& receive, Peer& peer, std::uint64_t address) noexcept;
  bool reserve_late() noexcept;
  bool ask_bulk(ReceiveRequest& receive) noexcept;
  void ask_stream(ReceiveRequest& receive) noexcept;
  void say_fin(Peer& peer, std::uint64_t send_id, int status) noexcept;
  void complete_rendezvous(ReceiveRequest& receive) noexcept;
  void fail_rendezvous(ReceiveRequest& receive, int error) noexcept;
  void release_rendezvous(ReceiveRequest& receive) noexcept;
  void bulk_failed(ReceiveRequest& receive) noexcept;
  void take_own(ReceiveRequest& receive, SendRequest& send, const Arrival& arrival) noexcept;

  stream::Streams& streams_;
  Peers& peers_;
  Reporter& reporter_;
  Sender& sender_;
  Limits limits_;
  Matcher tagged_;
  Matcher message_;
  util::Pool<ReceiveRequest> requests_;
  util::Pool<Unexpected> unexpected_;
  IdTable<ReceiveRequest> ids_;
  std::unordered_map<const void*, Unexpected*> claimed_;
  std::vector<ReceiveRequest*> late_;  // SENT came, the bytes did not
  std::size_t unexpected_bytes_ = 0;   // heads and payloads, without announcements
  std::size_t min_multi_receive_ = 64;
  SharedReceives* shared_ = nullptr;  // while messages are matched there, else null
  SharedReceives* lender_ = nullptr;  // the same, and after that: whose multi-receives we may fill
  std::uint32_t more_flags_ = 0;      // of what is posted there
};

}  // namespace xs::core
