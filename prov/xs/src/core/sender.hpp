// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The sending half of an endpoint: from fi_send to the acknowledgement or the receiver's FIN.
// docs/wire.md section 6.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/id_table.hpp"
#include "core/peers.hpp"
#include "core/reporter.hpp"
#include "core/request.hpp"
#include "core/types.hpp"
#include "stream/streams.hpp"
#include "util/pool.hpp"

namespace xs::core {

class Receiver;
class RmaInitiator;
class RmaTarget;

class Sender {
 public:
  // eager: bytes of the largest message in one frame; read: of the largest one that a neighbour who
  // could read it out of our memory gets so.
  Sender(stream::Streams& streams, Peers& peers, Reporter& reporter, std::size_t eager,
         std::size_t read) noexcept
      : streams_(streams),
        peers_(peers),
        reporter_(reporter),
        eager_(eager),
        read_(read),
        quickest_(std::min({eager, read, util::kCopiedInline})) {}
  ~Sender();
  void set_receiver(Receiver& receiver) noexcept { receiver_ = &receiver; }
  // Who gives the stream what is remote memory's, in its turn.
  void set_rma(RmaInitiator& initiator, RmaTarget& target) noexcept {
    initiator_ = &initiator;
    target_ = &target;
  }

  Status send(const SendOp& op) noexcept;
  bool send_quickly(util::Bytes payload, PeerAddress to, const SendPlan& plan) noexcept;
  // Takes back a send that still waits for its stream.
  bool cancel(void* context) noexcept;

  // Whether one more may wait for that peer, which is greeted if need be; then its turn in the
  // order of the calls.
  bool admits(Peer& peer) noexcept;
  void enqueue(Queued& queued) noexcept;

  // A protocol answer, now or as soon as the window has room.
  void reply(Peer& peer, proto::Kind kind, std::span<const std::byte> body) noexcept;
  // Gives the stream what waits for it.
  void pump(Peer& peer) noexcept;
  // False: the peer lies.
  bool cts_received(Peer& peer, const proto::Cts& cts) noexcept;
  bool fin_received(Peer& peer, const proto::Fin& fin) noexcept;
  bool frame_left(std::uint64_t cookie) noexcept;
  void frame_released(std::uint64_t cookie, int error) noexcept;
  void bulk_let_go(SendRequest& send, int error) noexcept;
  // Everything towards the peer ends in error; what the inner provider still holds ends when it
  // lets go.
  void peer_ended(Peer& peer, int error) noexcept;
  // What the stream has not taken ends in error.
  void fail_pending(Peer& peer, int error) noexcept;
  // Only rendezvous end: the peer said goodbye, its stream is whole.
  void goodbye_taken(Peer& peer) noexcept;
  // A send to this endpoint itself has been taken (or dropped) by the receiver.
  void own_done(SendRequest& send) noexcept;
  // Bulk sends that the inner provider had no room for.
  void retry_bulk() noexcept;
  bool bulk_waits() const noexcept { return bulk_waiting_ > 0; }

  std::size_t under_way() const noexcept { return requests_.live(); }
  static std::size_t under_way(const Peer& peer) noexcept {
    return peer.pending.size() + peer.announced.size() + peer.rma.operations.size();
  }
  // An operation to that peer has ended: one with kOpFence may have waited for it.
  void lift_fence(Peer& peer) noexcept {
    if (!peer.pending.empty() && (peer.pending.front().flags & kOpFence) && !peer.pumping)
      pump(peer);
  }
  // Of an operation on ourselves, which can't wait.
  static bool holds_back(const Peer& self, std::uint32_t flags) noexcept {
    return (flags & kOpFence) && !is_clear(self);
  }
  // Nothing waits above the stream that the user was told of, or whose buffer he has back, nor what
  // answers a peer's operation.
  bool flushed(const Peer& peer) const noexcept;

 private:
  Status send_slow(Peer& peer, const SendOp& op) noexcept;
  Status send_own(const SendOp& op, std::size_t length) noexcept;
  void follow(Peer& peer, stream::FrameBuffer& frame, const SendOp& op) noexcept;
  SendRequest* make_request(Peer& peer, const SendOp& op) noexcept;
  // Whether it needs a request, which waits for its turn.
  static bool takes_turn(std::uint32_t flags) noexcept {
    return (flags & (kOpTransmitComplete | kOpDeliveryComplete | kOpFence)) != 0;
  }
  static bool is_clear(const Peer& peer) noexcept {
    return peer.announced.empty() && peer.rma.operations.empty() && peer.followed == 0;
  }
  static bool is_fenced(const Queued& queued) noexcept;
  // Whether the user hears of it only when the peer has acknowledged.
  static bool waits_for_ack(std::uint32_t flags) noexcept {
    return (flags & (kOpTransmitComplete | kOpDeliveryComplete)) != 0;
  }
  bool fits_eager(Peer& peer, std::size_t length) const noexcept {
    const stream::Session& session = *peer.session;
    return length <= eager_ && length + proto::kEnvelopeSize <= session.largest_body() &&
           !session.peer_wants_rts_only() && !better_read(peer, length);
  }
  // One copy, by the receiver, may take less time than two, one after the other. But while the peer
  // is busy with one, two processors move more than one does.
  bool better_read(Peer& peer, std::size_t length) const noexcept {
    return length > read_ && peer.session->may_be_read() && peer.announced.empty() &&
           !peer.short_way.by_ring();
  }
  bool shows(SendRequest& send) const noexcept;
  bool send_in_ring(const SendOp& op) noexcept;
  Status send_otherwise(const SendOp& op) noexcept;
  bool stays_in_place(const stream::Session& session, std::uint32_t flags,
                      std::size_t length) const noexcept;
  struct Message {
    std::span<const struct iovec> iov;
    std::size_t length;  // their sum
    std::uint64_t tag;
    std::uint64_t data;
    std::uint32_t flags;
  };
  static void put_pieces_in_ring(stream::Session& session,
                                 std::span<const struct iovec> iov) noexcept;
  bool put_in_ring(Peer& peer, const Message& message) noexcept;
  // Whether the peer has a ring for a message with these flags, and nothing waits before it.
  static bool may_go_in_ring(const Peer& peer, std::uint32_t flags) noexcept {
    return peer.session && peer.session->writes_ring() && peer.pending.empty() &&
           !peer.session->goodbye_taken() && !takes_turn(flags);
  }
  static void count_in_ring(Peer& peer, std::size_t bytes) noexcept {
    ++peer.ring.sent_messages;
    peer.ring.sent_bytes += bytes;
  }
  static std::uint8_t frame_flags_without_ack(std::uint32_t op_flags) noexcept {
    constexpr unsigned kApart = unsigned{proto::kTagged} / kOpTagged;  // both: no branch is needed
    static_assert(unsigned{proto::kCqData} / kOpData == kApart);
    return static_cast<std::uint8_t>((op_flags & (kOpTagged | kOpData)) * kApart);
  }
  static std::uint8_t frame_flags(std::uint32_t op_flags) noexcept {
    std::uint8_t flags = frame_flags_without_ack(op_flags);
    if (!waits_for_ack(op_flags)) return flags;
    flags |= proto::kAckNow;
    if (op_flags & kOpDeliveryComplete) flags |= proto::kDelivery;
    return flags;
  }
  bool start_in_ring(SendRequest& send) noexcept;
  bool usable(const Peer& peer) const noexcept {
    return peer.session && peer.session->open() && !peer.session->goodbye_taken();
  }
  void give_all(Peer& peer) noexcept;
  bool greet(Peer& peer) noexcept;
  bool start(Queued& queued) noexcept;
  bool start_eager(SendRequest& send) noexcept;
  bool start_rendezvous(SendRequest& send) noexcept;
  bool flush_replies(Peer& peer) noexcept;
  bool stream_data(SendRequest& send) noexcept;
  void post_bulk(SendRequest& send) noexcept;
  void say_sent(SendRequest& send, std::uint32_t status) noexcept;
  void settle(SendRequest& send, int error) noexcept;
  void finish_if_free(SendRequest& send) noexcept;
  void drop(SendRequest& send) noexcept;
  static SendRequest& send_of(Queued& queued) noexcept { return static_cast<SendRequest&>(queued); }
  static void reply_given(Peer& peer, proto::Kind kind) noexcept {
    if (kind == proto::Kind::kDone) --peer.rma.owed;
  }

  stream::Streams& streams_;
  Peers& peers_;
  Reporter& reporter_;
  Receiver* receiver_ = nullptr;
  RmaInitiator* initiator_ = nullptr;
  RmaTarget* target_ = nullptr;
  std::size_t eager_;  // bytes
  std::size_t read_;
  std::size_t quickest_;  // the most that send_quickly() takes
  util::Pool<SendRequest> requests_;
  IdTable<SendRequest> ids_;
  std::uint32_t bulk_waiting_ = 0;
};

}  // namespace xs::core
