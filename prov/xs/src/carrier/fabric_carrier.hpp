// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Moves frames over the inner provider: lanes, posted receives, bulk transfers. No protocol here.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "carrier/frame_buffer.hpp"
#include "carrier/inner.hpp"
#include "carrier/sink.hpp"
#include "util/clock.hpp"
#include "util/intrusive_list.hpp"
#include "util/result.hpp"

namespace xs::carrier {

inline constexpr std::uint32_t kHomeLane = 1;  // lane numbers begin here and only grow

struct Route {
  std::uint32_t lane = 0;  // 0: none
  InnerAddress to = 0;
};

// What travels upwards. Calls come from inside poll() and retire() only.
class CarrierEvents {
 public:
  // frame: valid during the call.
  virtual void frame_arrived(util::Bytes frame) noexcept = 0;
  // The inner provider is done with a posted frame that was not injected.
  virtual void frame_let_go(FrameBuffer& frame, int error) noexcept = 0;
  virtual void bulk_let_go(BulkOperation& operation, std::size_t length, int error) noexcept = 0;
  // The inner endpoint behind the lane is gone, and with it every inner address on it. Home comes
  // back under the same number and address, other lanes do not.
  virtual void lane_gone(std::uint32_t lane) noexcept = 0;

 protected:
  ~CarrierEvents() = default;
};

class FabricCarrier {
 public:
  // frame_size: largest frame taken, bytes. buffers: receives kept posted on each lane.
  static util::Result<std::unique_ptr<FabricCarrier>> open(InnerProvider& inner,
                                                           std::size_t frame_size,
                                                           std::size_t buffers,
                                                           CarrierEvents& events) noexcept;
  ~FabricCarrier();

  const proto::Address& home() const noexcept { return home_; }
  bool has_lane(std::uint32_t lane) const noexcept {
    return const_cast<FabricCarrier*>(this)->find(lane) != nullptr;
  }
  std::uint32_t newest_lane() const noexcept { return lanes_.back()->number; }
  // Address of a live lane.
  const proto::Address& address(std::uint32_t lane) const noexcept;
  // A newly opened lane; the oldest besides home is retired if there are too many.
  util::Result<std::uint32_t> fresh_lane() noexcept;
  // Whether the machine still has that lane's address. Asks the system.
  bool has_place(std::uint32_t lane) const noexcept {
    return inner_.place().same_host(address(lane));
  }
  // Closes the inner endpoint of a lane, which ends every operation on it (let go, ECANCELED); home
  // is reopened on its address.
  void retire(std::uint32_t lane) noexcept;

  util::Result<Route> route(std::uint32_t lane, const proto::Address& to) noexcept;
  // The frame's prefix and body are complete. kOk and !frame.under_way: it was injected and is free
  // at once.
  Posted post(const Route& route, FrameBuffer& frame) noexcept;
  Posted bulk_send(const Route& route, std::uint64_t tag, std::span<const struct iovec> iov,
                   BulkOperation& operation) noexcept;
  Posted bulk_receive(std::uint32_t lane, std::uint64_t tag, std::span<const struct iovec> iov,
                      BulkOperation& operation) noexcept;
  void cancel(BulkOperation& operation) noexcept;
  // Whether any frame is under way. Walks through all operations, as the next one does.
  bool sending() const noexcept;
  // Whether a frame of that kind under that token has not left that lane yet. Walks, too.
  bool holds(std::uint32_t lane, proto::Kind kind, std::uint64_t token) const noexcept;
  // Of a frame that should have been let go by now: its lane. Else the time by which the next one
  // should be (kNever: none).
  struct Overdue {
    std::optional<std::uint32_t> lane;
    util::Nanoseconds next = util::kNever;
  };
  Overdue overdue(util::Nanoseconds now) const noexcept;
  // Keeps a receive for a tag that was given up: a late message of up to `length` bytes must not
  // stop the lane.
  void sink(std::uint32_t lane, std::uint64_t tag, std::size_t length) noexcept;

  // Takes what has arrived or ended; returns how many completions there were.
  std::size_t poll() noexcept;
  std::size_t iov_limit() const noexcept { return inner_.iov_limit(); }

  // From now on the descriptors of all lanes are in that set, which outlives the carrier.
  void set_waits(WaitSet& waits) noexcept;
  // Whether everything that comes makes a descriptor readable, or is due in retry_after().
  bool may_sleep() noexcept;
  // Cheap: what may_sleep() said last still holds.
  bool settled() const noexcept;
  // When to poll() again though no descriptor may tell; kNever if that is not so.
  util::Nanoseconds retry_after() const noexcept;

 private:
  // A receive kept posted; its buffer holds one frame.
  struct Slot : Operation {
    Slot() noexcept : Operation(OperationKind::kSlot) {}
    std::unique_ptr<std::byte[]> buffer;
    bool posted = false;
  };
  struct Lane {
    std::uint32_t number;
    std::uint32_t life = 0;  // counts reopenings
    std::unique_ptr<InnerEndpoint> endpoint;
    std::vector<std::unique_ptr<Slot>> slots;
    util::IntrusiveList<Operation> under_way;  // frames, bulk transfers, sinks
    std::size_t idle_slots = 0;                // could not be posted again yet
    int watched = -1;                          // descriptor of its in the wait set
  };

  static constexpr unsigned kReopenPasses = 1024;  // between tries to reopen home

  FabricCarrier(InnerProvider& inner, std::size_t frame_size, std::size_t buffers,
                CarrierEvents& events) noexcept;
  util::Result<std::unique_ptr<Lane>> open_lane(const proto::Address& at) noexcept;
  Lane* find(std::uint32_t lane) noexcept;
  Lane* find(std::uint32_t lane, std::uint32_t life) noexcept;
  std::size_t poll_lane(Lane& lane) noexcept;
  std::size_t poll_batch(Lane& lane) noexcept;
  void ended(Lane& lane, const InnerCompletion& completion) noexcept;
  void let_go(Operation& operation, std::size_t length, int error) noexcept;
  void post_slot(Lane& lane, Slot& slot) noexcept;
  void begin(Lane& lane, Operation& operation) noexcept;
  void end_all(Lane& lane) noexcept;
  bool post_sink(Lane& lane, std::uint64_t tag, std::size_t length) noexcept;
  void sink_later(std::uint64_t tag, std::size_t length) noexcept;
  void post_late_sinks() noexcept;
  bool reopen_home() noexcept;
  void watch(Lane& lane) noexcept;
  void unwatch(Lane& lane) noexcept;

  InnerProvider& inner_;
  CarrierEvents& events_;
  std::size_t frame_size_;
  std::size_t buffers_;
  proto::Address home_;
  std::uint32_t next_number_ = kHomeLane;
  std::vector<std::unique_ptr<Lane>> lanes_;  // home first
  Sinks sinks_;
  struct LateSink {
    std::uint64_t tag;
    std::size_t length;
  };
  std::vector<LateSink> late_sinks_;  // home's, to be posted as soon as there is room
  WaitSet* waits_ = nullptr;
  bool retiring_ = false;       // home: what sinks have no room are posted later
  unsigned reopen_passes_ = 0;  // since home could not be reopened
};

}  // namespace xs::carrier
