// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One pair of rings with a neighbour, for one epoch: what we share, what we map, and both ends.
// What a frame means, and when to join or leave, is the stream's business (docs/paths.md).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "carrier/direct_read.hpp"
#include "hv/hv.hpp"
#include "proto/ring_frame.hpp"
#include "ring/consumer.hpp"
#include "ring/producer.hpp"

namespace xs::carrier {

// Our end of the acquaintance with a peer process: owned by whoever made it (locality).
using Neighbour = hv::Link;
using NeighbourState = hv::LinkState;
using hv::Budget;

using RingTerms = ring::Terms;
using RingNonce = decltype(ring::Terms::nonce);
using RingConsumer = ring::Consumer;
inline constexpr std::size_t kRingCell = ring::kCellSize;
using ring::Claimed;
using ring::Health;
using ring::Kept;
using ring::Peeked;
using ring::Quick;

class RingCarrier {
 public:
  // in_use: bytes of all such regions of ours; outlives this one. reader: of the peer's memory, who
  // may read ours, too; null: neither.
  RingCarrier(const ring::Terms& terms, MemoryReader* reader, std::size_t& in_use) noexcept;
  ~RingCarrier() {
    witness_.wipe();
    in_use_ -= bytes();
  }
  RingCarrier(const RingCarrier&) = delete;
  RingCarrier& operator=(const RingCarrier&) = delete;

  // Set-up, in either order. 0, or a positive errno: EAGAIN (ask again), ENOMEM, what hv says.
  // The peer's region must say our epoch, and its nonce begin with that number.
  int share(Neighbour& link, std::size_t pages) noexcept;
  int map(Neighbour& link, const proto::ShareName& name, std::size_t pages,
          std::uint64_t nonce) noexcept;
  bool shared() const noexcept { return share_ != nullptr; }
  bool mapped() const noexcept { return mapping_ != nullptr; }
  // Both were done: makes the two ends. 0 or ENOMEM.
  int finish() noexcept;

  const proto::ShareName& name() const noexcept { return share_->offer(); }
  std::uint32_t pages() const noexcept { return pages_; }
  std::size_t bytes() const noexcept { return pages_ * hv::kPageSize; }
  const ring::Terms& peer_terms() const noexcept { return theirs_->terms(); }
  const ring::Terms& terms() const noexcept { return terms_; }
  // Largest body of a frame that our ring holds.
  std::uint32_t largest_body() const noexcept {
    return ring::largest_frame(ours_->cell_count()) - proto::kRingHeadSize;
  }
  // The peer's memory, if it may be read; null otherwise.
  const ForeignMemory* peer_memory() const noexcept {
    return foreign_.process != 0 ? &foreign_ : nullptr;
  }
  // Nothing that we announced may be read any more.
  void wipe_witness() noexcept { witness_.wipe(); }
  // The peer can't map our region any more; it stays readable for us, and for who has mapped it.
  void revoke() noexcept {
    if (share_) share_->revoke();
  }

  // The peer's region is not looked at any more. What stands in ours can still be taken back.
  void unmap() noexcept {
    foreign_ = {};
    consumer_.reset();
    theirs_.reset();
    mapping_.reset();
  }

  bool ready() const noexcept { return consumer_.has_value(); }
  // After finish().
  ring::Producer& producer() noexcept { return *producer_; }
  ring::Consumer& consumer() noexcept { return *consumer_; }

 private:
  Witness witness_;
  ForeignMemory foreign_;
  MemoryReader* reader_;
  ring::Terms terms_;
  std::size_t& in_use_;
  std::uint32_t pages_ = 0;
  std::unique_ptr<hv::Share> share_;
  std::unique_ptr<hv::Mapping> mapping_;
  std::optional<ring::OwnRegion> ours_;
  std::optional<ring::PeerRegion> theirs_;
  std::optional<ring::Producer> producer_;
  std::optional<ring::Consumer> consumer_;
};

}  // namespace xs::carrier
