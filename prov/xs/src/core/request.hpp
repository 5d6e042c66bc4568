// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The operations that an endpoint has under way.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "core/gather.hpp"
#include "core/matcher.hpp"
#include "core/types.hpp"
#include "stream/upper.hpp"
#include "util/clock.hpp"
#include "util/intrusive_list.hpp"

namespace xs::core {

class Receiver;
struct Peer;
struct SendRequest;
struct ReceiveRequest;

struct Bulk : stream::BulkOperation {
  SendRequest* send = nullptr;  // one of the two
  ReceiveRequest* receive = nullptr;
  // Routes of the session when it was posted: it may never end on a way that the session has left.
  std::uint32_t our_route = 0;
  std::uint32_t peer_route = 0;
  util::Nanoseconds overdue_at =
      0;  // when the inner provider will be made to let go; 0: no reason to
};

enum class SendState : std::uint8_t {
  kPending,    // waits for the stream: on Peer::pending
  kEager,      // in the stream; waits for its acknowledgement
  kAnnounced,  // RTS is out: on Peer::announced, until FIN
};

// What waits for its turn with a peer: on Peer::pending, in the order of the calls.
struct Queued : util::ListHook<> {
  Peer* peer = nullptr;
  void* context = nullptr;
  std::uint32_t flags = 0;
  bool is_rma = false;  // an RmaRequest; else a SendRequest

  // Whether its owner may mean it by that context.
  bool goes_by(const void* wanted) const noexcept {
    return context == wanted && !(flags & kOpUnheard);
  }
};

// A send that could not be finished inside the call.
//
// It ends when it is settled (acknowledged, FIN, or failed) and the inner provider has let go of
// the user's memory: !bulk.under_way and frames_out == 0. Not before: the user may free the buffer
// then.
struct SendRequest : Queued {
  UserMemory memory;
  std::unique_ptr<std::byte[]> copy;  // inject: memory points here
  std::uint64_t tag = 0;
  std::uint64_t data = 0;
  SendState state = SendState::kPending;
  bool settled = false;
  int error = 0;
  std::uint64_t id = 0;

  // Rendezvous
  Bulk bulk;
  std::uint64_t receive_id = 0;
  std::uint64_t bulk_tag = 0;
  std::uint32_t attempt = 0;     // of the newest CTS
  std::uint32_t bulk_route = 0;  // the peer's route that the CTS named
  bool bulk_waits = false;       // the inner provider had no room: tried again in each pass
  bool streaming = false;        // CTS asked for DATA frames
  std::size_t granted = 0;       // bytes that the receiver takes
  std::size_t streamed = 0;      // bytes given to the stream
  bool orphaned = false;         // its session is over: nothing more is said about it
  std::uint32_t frames_out = 0;  // DATA frames that refer to the user's memory
};

enum class ReceiveState : std::uint8_t { kBulk, kStream };

// A receive, from its posting to its completion; rendezvous keep it until the sender has let go
// too.
struct ReceiveRequest : PostedReceive, util::ListHook<> {
  // By hand: a generated one would clear all of it, which costs as much as the rest of a receive.
  ReceiveRequest() noexcept {}
  explicit ReceiveRequest(std::span<const struct iovec> iov) noexcept : memory(iov) {}
  explicit ReceiveRequest(std::span<std::byte> piece) noexcept : memory(piece) {}

  std::uint32_t flags = 0;

  // Multi-receive: a part borrows room of the posted buffer.
  std::uint32_t parts = 0;
  std::size_t used = 0;
  ReceiveRequest* parent = nullptr;

  UserMemory memory;  // its first piece still near to what stands before

  // Rendezvous: means nothing, and holds anything, before become_rendezvous().
  union {
    Bulk bulk;
  };
  Peer* peer;
  std::uint64_t id;
  std::uint64_t send_id;
  std::uint64_t tag;
  std::uint64_t data;
  bool has_data;
  ReceiveState state;
  std::uint64_t total;   // length of the message
  std::size_t accepted;  // what fits
  std::size_t received;  // by DATA frames
  std::uint64_t bulk_tag;
  std::uint32_t attempt;
  bool sent_came;              // SENT of the newest bulk attempt
  bool let_go;                 // by the inner provider, without the bytes
  bool done;                   // reported; kept for SENT only
  int ended;                   // its peer ended so; reported when the inner provider has let go
  util::Nanoseconds sent_at;   // SENT came, the bytes had not
  util::Nanoseconds asked_at;  // for DATA, by the precise clock; 0: could not have been read

  void become_rendezvous() noexcept {
    new (&bulk) Bulk;
    bulk.receive = this;
    peer = nullptr;
    id = send_id = tag = data = total = bulk_tag = 0;
    accepted = received = 0;
    state = ReceiveState::kStream;
    attempt = 0;
    has_data = sent_came = let_go = done = false;
    ended = 0;
    sent_at = asked_at = 0;
  }
};
static_assert(std::is_trivially_destructible_v<ReceiveRequest>, "nobody ends its bulk");

// A message that came before its receive: a copy of the payload, or the announcement of one.
struct Unexpected : UnexpectedMessage {
  Receiver* receiver = nullptr;  // that took it
  Peer* peer = nullptr;
  std::uint64_t data = 0;
  bool has_data = false;
  bool tagged = false;
  bool announced = false;  // payload still at the sender
  bool dead = false;       // announced by a session that has ended
  std::uint64_t length = 0;
  std::uint64_t send_id = 0;             // announced
  std::uint64_t address = 0;             // announced: where it may be read
  SendRequest* own = nullptr;            // announced by this very endpoint
  std::unique_ptr<std::byte[]> payload;  // !announced
};

}  // namespace xs::core
