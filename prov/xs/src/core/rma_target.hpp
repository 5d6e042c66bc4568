// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The side of an endpoint whose memory others read and write: docs/rma.md section 3.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "core/memory.hpp"
#include "core/peers.hpp"
#include "core/reporter.hpp"
#include "core/rma.hpp"
#include "stream/streams.hpp"
#include "util/pool.hpp"

namespace xs::core {

class Sender;
using stream::Payload;
using stream::Taken;

class RmaTarget {
 public:
  // What an operation wants of our memory.
  struct Range {
    std::uint64_t key;
    std::uint64_t address;
    std::uint64_t length;
  };

  RmaTarget(Peers& peers, Reporter& reporter, Sender& sender, Exposed exposed) noexcept
      : peers_(peers), reporter_(reporter), sender_(sender), exposed_(exposed) {}
  ~RmaTarget();

  // False, kLie: the peer lies (or memory is exhausted: its session can't go on).
  Taken write_received(Peer& peer, std::uint8_t flags, util::Bytes head, Payload& payload) noexcept;
  Taken atomic_received(Peer& peer, util::Bytes head, Payload& payload) noexcept;
  Taken put_received(Peer& peer, util::Bytes head, Payload& payload) noexcept;
  bool read_received(Peer& peer, const proto::Read& read) noexcept;
  // Gives the stream what it takes now of PeerRma::answers. True: all of it.
  bool give_answers(Peer& peer) noexcept;
  // Nothing more is heard of the peer, nor has it anything to hear.
  void peer_ended(Peer& peer) noexcept;

  // Answers that waited for room in the completion queue. waits(): some do.
  void tick() noexcept;
  bool waits() const noexcept { return withheld_ > 0; }

  // The same for our own operations; a positive errno, or 0. data: null for none.
  int write_own(Peer& self, const Range& range, const UserMemory& from,
                const std::uint64_t* data) noexcept;
  int read_own(Peer& self, const Range& range, const UserMemory& to) noexcept;
  // operands as in ATOMIC; results: room for them, or null.
  int perform_own(Peer& self, const proto::Atomic& atomic, util::Bytes operands,
                  std::byte* results) noexcept;

 private:
  // A place in a registration that may be reached, or why there is none.
  struct Place {
    Registration* registration = nullptr;
    std::size_t offset = 0;
    int status = 0;
  };
  // rights: all that it takes.
  Place find(const Range& range, unsigned rights) const noexcept;
  std::optional<util::Bytes> settle(Payload& payload, Taken& otherwise) noexcept;
  bool admit(Peer& peer) noexcept;
  void place(Arriving& arriving, util::Bytes bytes) noexcept;
  // An operation of the peer has been performed there, whole; null: that has been closed since.
  void arrived(Peer& peer, Registration* there, RmaKind of, std::size_t length,
               const std::uint64_t* data = nullptr) noexcept;
  void write_arrived(Peer& peer) noexcept;
  Place find(const proto::Atomic& atomic) const noexcept;
  void atomic_arrived(Peer& peer, util::Bytes operands) noexcept;
  static void perform_all(const proto::Atomic& atomic, const Place& place, util::Bytes operands,
                          std::byte* results) noexcept;
  void say_done(Peer& peer, std::uint64_t id, int status) noexcept;
  std::optional<UserMemory> memory_of(const RmaAnswer& answer) const noexcept;
  bool give_answer(Peer& peer, RmaAnswer& answer) noexcept;
  void drop(Peer& peer, RmaAnswer& answer) noexcept;

  Peers& peers_;
  Reporter& reporter_;
  Sender& sender_;
  Exposed exposed_;
  util::Pool<RmaAnswer> answers_;
  std::unique_ptr<std::byte[]> settled_;  // what stood in a neighbour's ring
  std::size_t settled_size_ = 0;          // bytes of room there
  std::size_t withheld_ = 0;              // of all peers
};

}  // namespace xs::core
