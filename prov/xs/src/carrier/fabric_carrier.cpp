// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/fabric_carrier.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "util/log.hpp"

namespace xs::carrier {

using util::Level;
using util::log;

namespace {
constexpr std::size_t kBatch = 16;    // completions taken at a time
constexpr std::size_t kMaxLanes = 4;  // home and three for peers in trouble
}  // namespace

FabricCarrier::FabricCarrier(InnerProvider& inner, std::size_t frame_size, std::size_t buffers,
                             CarrierEvents& events) noexcept
    : inner_(inner),
      events_(events),
      frame_size_(frame_size),
      buffers_(std::min(buffers, inner.receive_depth())) {}

FabricCarrier::~FabricCarrier() {
  for (auto& lane : lanes_) {
    unwatch(*lane);
    lane->endpoint.reset();  // ends every operation; only then may their memory go
    end_all(*lane);
  }
}

util::Result<std::unique_ptr<FabricCarrier>> FabricCarrier::open(InnerProvider& inner,
                                                                 std::size_t frame_size,
                                                                 std::size_t buffers,
                                                                 CarrierEvents& events) noexcept {
  std::unique_ptr<FabricCarrier> carrier(new (std::nothrow)
                                             FabricCarrier(inner, frame_size, buffers, events));
  if (!carrier) return util::Error{ENOMEM, "no memory for the fabric carrier"};
  auto lane = carrier->open_lane({});
  if (!lane) return lane.error();
  carrier->home_ = (*lane)->endpoint->name();
  try {
    carrier->lanes_.reserve(kMaxLanes + 1);
  } catch (const std::bad_alloc&) {
    return util::Error{ENOMEM, "no memory for lanes"};
  }
  carrier->lanes_.push_back(std::move(*lane));
  return carrier;
}

util::Result<std::unique_ptr<FabricCarrier::Lane>> FabricCarrier::open_lane(
    const proto::Address& at) noexcept try {
  auto endpoint = inner_.open(at);
  if (!endpoint) return endpoint.error();
  auto lane = std::make_unique<Lane>();
  lane->number = next_number_;
  lane->endpoint = std::move(*endpoint);
  for (std::size_t i = 0; i < buffers_; ++i) {
    lane->slots.push_back(std::make_unique<Slot>());
    // Not zeroed: frames of 64 KiB are touched only when frames arrive.
    lane->slots.back()->buffer.reset(new std::byte[frame_size_]);
    post_slot(*lane, *lane->slots.back());
  }
  ++next_number_;
  return lane;
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "no memory for a lane"};
}

FabricCarrier::Lane* FabricCarrier::find(std::uint32_t number) noexcept {
  for (auto& lane : lanes_)
    if (lane->number == number) return lane.get();
  return nullptr;
}

// The lane only if its inner endpoint is still the one of that life.
FabricCarrier::Lane* FabricCarrier::find(std::uint32_t number, std::uint32_t life) noexcept {
  Lane* lane = find(number);
  return lane && lane->life == life && lane->endpoint ? lane : nullptr;
}

const proto::Address& FabricCarrier::address(std::uint32_t lane) const noexcept {
  Lane* found = const_cast<FabricCarrier*>(this)->find(lane);
  return found && found->endpoint ? found->endpoint->name() : home_;
}

util::Result<std::uint32_t> FabricCarrier::fresh_lane() noexcept {
  if (lanes_.size() >= kMaxLanes) retire(lanes_[1]->number);
  // Any port: the user may have asked for one, and home has that.
  const proto::Address place = inner_.place();
  auto lane = place ? open_lane(place) : util::Error{EADDRNOTAVAIL, "this machine tells no address"};
  if (!lane) {
    log(Level::kWarn, "no further lane at %s: %s", place ? place.text().c_str() : "any address",
        lane.error().what);
    return lane.error();
  }
  const std::uint32_t number = (*lane)->number;
  lanes_.push_back(std::move(*lane));  // within what open() reserved
  watch(*lanes_.back());
  log(Level::kInfo, "opened lane %u at %s", number, address(number).text().c_str());
  return number;
}

void FabricCarrier::retire(std::uint32_t number) noexcept {
  Lane* lane = find(number);
  if (!lane) return;
  unwatch(*lane);
  lane->endpoint.reset();
  ++lane->life;
  if (number != kHomeLane) {
    end_all(*lane);
    std::erase_if(lanes_, [lane](const auto& each) { return each.get() == lane; });
    events_.lane_gone(number);
    return;
  }
  log(Level::kInfo, "home lane %s is replaced", home_.text().c_str());
  if (!reopen_home()) log(Level::kWarn, "home lane %s can't be reopened yet", home_.text().c_str());
  events_.lane_gone(number);
  retiring_ = true;
  end_all(*lane);
  retiring_ = false;
}

// Home is the endpoint's name: without it no peer can reach us, so this is tried again and again.
bool FabricCarrier::reopen_home() noexcept {
  Lane& home = *lanes_.front();
  auto reopened = inner_.open(home_);
  reopen_passes_ = 0;
  if (!reopened) return false;
  home.endpoint = std::move(*reopened);
  home.idle_slots = 0;
  watch(home);
  for (auto& slot : home.slots) post_slot(home, *slot);
  return true;
}

// Only what was under way before: on a lane that came back, more may follow.
void FabricCarrier::end_all(Lane& lane) noexcept {
  for (std::size_t left = lane.under_way.size(); left > 0; --left) {
    Operation& operation = lane.under_way.pop_front();
    if (operation.kind == OperationKind::kSink && lane.number == kHomeLane) {
      // The address is the same: what is late still comes here.
      const auto& late = static_cast<SinkOperation&>(operation);
      sink(lane.number, late.tag, late.length);
    }
    let_go(operation, 0, ECANCELED);
  }
}

util::Result<Route> FabricCarrier::route(std::uint32_t number, const proto::Address& to) noexcept {
  Lane* lane = find(number);
  if (!lane || !lane->endpoint) return util::Error{ENOTCONN, "no such lane"};
  auto inserted = lane->endpoint->insert(to);
  if (!inserted) return inserted.error();
  return Route{number, *inserted};
}

Posted FabricCarrier::post(const Route& route, FrameBuffer& frame) noexcept {
  Lane* lane = find(route.lane);
  if (!lane || !lane->endpoint) return Posted::kFailed;
  const std::size_t head = proto::kPrefixSize + frame.body_size;
  frame.prefix.length = frame.body_size + frame.tail_size;
  proto::encode(frame.prefix, frame.bytes());
  if (!frame.tail && !frame.confirmed && head <= inner_.inject_limit())
    return lane->endpoint->inject(route.to, frame.bytes(), head);
  const std::array<struct iovec, 2> iov{
      {{frame.bytes(), head}, {const_cast<void*>(frame.tail), frame.tail_size}}};
  begin(*lane, frame);
  const Posted posted =
      lane->endpoint->send(route.to, std::span(iov.data(), frame.tail ? 2u : 1u), frame);
  if (posted != Posted::kOk) {
    lane->under_way.remove(frame);
    frame.under_way = false;
  }
  return posted;
}

Posted FabricCarrier::bulk_send(const Route& route, std::uint64_t tag,
                                std::span<const struct iovec> iov,
                                BulkOperation& operation) noexcept {
  Lane* lane = find(route.lane);
  if (!lane || !lane->endpoint) return Posted::kFailed;
  begin(*lane, operation);
  const Posted posted = lane->endpoint->tagged_send(route.to, tag, iov, operation);
  if (posted != Posted::kOk) {
    lane->under_way.remove(operation);
    operation.under_way = false;
  }
  return posted;
}

Posted FabricCarrier::bulk_receive(std::uint32_t number, std::uint64_t tag,
                                   std::span<const struct iovec> iov,
                                   BulkOperation& operation) noexcept {
  Lane* lane = find(number);
  if (!lane || !lane->endpoint) return Posted::kFailed;
  begin(*lane, operation);
  const Posted posted = lane->endpoint->tagged_receive(tag, iov, operation);
  if (posted != Posted::kOk) {
    lane->under_way.remove(operation);
    operation.under_way = false;
  }
  return posted;
}

void FabricCarrier::cancel(BulkOperation& operation) noexcept {
  Lane* lane = find(operation.lane);
  if (operation.under_way && lane && lane->endpoint) lane->endpoint->cancel_receive(operation);
}

bool FabricCarrier::holds(std::uint32_t number, proto::Kind kind,
                          std::uint64_t token) const noexcept {
  Lane* lane = const_cast<FabricCarrier*>(this)->find(number);
  if (!lane) return false;
  for (const Operation& operation : lane->under_way) {
    if (operation.kind != OperationKind::kFrame) continue;
    const proto::Prefix& prefix = static_cast<const FrameBuffer&>(operation).prefix;
    if (prefix.kind == kind && prefix.token == token) return true;
  }
  return false;
}

FabricCarrier::Overdue FabricCarrier::overdue(util::Nanoseconds now) const noexcept {
  Overdue found;
  for (const auto& lane : lanes_)
    for (const Operation& operation : lane->under_way) {
      if (operation.kind != OperationKind::kFrame) continue;
      const util::Nanoseconds by = static_cast<const FrameBuffer&>(operation).let_go_by;
      if (by == 0) continue;
      if (by <= now) return {lane->number, now};
      found.next = std::min(found.next, by);
    }
  return found;
}

bool FabricCarrier::sending() const noexcept {
  for (const auto& lane : lanes_)
    for (const Operation& operation : lane->under_way)
      if (operation.kind == OperationKind::kFrame) return true;
  return false;
}

void FabricCarrier::sink(std::uint32_t number, std::uint64_t tag, std::size_t length) noexcept {
  Lane* lane = find(number);
  if (!lane || (lane->endpoint && post_sink(*lane, tag, length))) return;
  if (number == kHomeLane && (retiring_ || !lane->endpoint)) return sink_later(tag, length);
  if (!lane->endpoint) return;  // nothing can arrive there any more
  // A late message would stop this lane: better to end the lane now, streams replay elsewhere.
  log(Level::kWarn, "no room for a late bulk message: lane %u is replaced", number);
  retire(number);
}

// Connections of a home that is replaced are gone: what is late has still to be sent, and there may
// be room by then.
void FabricCarrier::sink_later(std::uint64_t tag, std::size_t length) noexcept {
  try {
    late_sinks_.push_back({tag, length});
  } catch (const std::bad_alloc&) {
    log(Level::kWarn, "no memory for a late bulk message at %s", home_.text().c_str());
  }
}

void FabricCarrier::post_late_sinks() noexcept {
  Lane& home = *lanes_.front();
  if (!home.endpoint) return;
  std::erase_if(late_sinks_,
                [&](const LateSink& each) { return post_sink(home, each.tag, each.length); });
}

bool FabricCarrier::post_sink(Lane& lane, std::uint64_t tag, std::size_t length) noexcept {
  SinkOperation* operation = sinks_.make(tag, length);
  void* room = sinks_.room(length);
  if (operation && room) {
    begin(lane, *operation);
    const struct iovec iov { room, length };
    if (lane.endpoint->tagged_receive(tag, std::span(&iov, 1), *operation) == Posted::kOk)
      return true;
    lane.under_way.remove(*operation);
  }
  if (operation) sinks_.drop(*operation);
  return false;
}

void FabricCarrier::begin(Lane& lane, Operation& operation) noexcept {
  operation.lane = lane.number;
  operation.under_way = true;
  lane.under_way.push_back(operation);
}

void FabricCarrier::post_slot(Lane& lane, Slot& slot) noexcept {
  slot.posted = lane.endpoint->receive(slot.buffer.get(), frame_size_, slot) == Posted::kOk;
  if (!slot.posted) ++lane.idle_slots;
}

std::size_t FabricCarrier::poll() noexcept {
  std::size_t count = 0;
  if (!late_sinks_.empty()) post_late_sinks();
  if (!lanes_.front()->endpoint && ++reopen_passes_ >= kReopenPasses && reopen_home())
    events_.lane_gone(kHomeLane);
  // By index: events may open or retire lanes; a lane that moves is polled in the next pass.
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (lanes_[i]->endpoint) count += poll_lane(*lanes_[i]);
  return count;
}

// What ends here may be acknowledged on another lane: there, one batch can let more be posted than
// one batch ends.
std::size_t FabricCarrier::poll_lane(Lane& lane) noexcept {
  constexpr unsigned kMostBatches = 16;
  const std::uint32_t number = lane.number;
  const std::uint32_t life = lane.life;
  std::size_t count = 0;
  Lane* still = &lane;
  for (unsigned batches = 0; still && still->endpoint && batches < kMostBatches; ++batches) {
    const std::size_t ended = poll_batch(*still);
    count += ended;
    if (ended < kBatch) break;
    still = find(number, life);
  }
  return count;
}

std::size_t FabricCarrier::poll_batch(Lane& lane) noexcept {
  std::array<InnerCompletion, kBatch> batch;
  const std::uint32_t number = lane.number;
  const std::uint32_t life = lane.life;
  const std::size_t count = lane.endpoint->poll(batch);
  for (std::size_t i = 0; i < count; ++i) {
    Lane* still = find(number, life);
    if (!still)
      return count;  // retired by an event of this very batch: all its operations were let go then
    ended(*still, batch[i]);
  }
  Lane* still = find(number, life);
  if (still && still->idle_slots > 0) {
    still->idle_slots = 0;
    for (auto& slot : still->slots)
      if (!slot->posted) post_slot(*still, *slot);
  }
  return count;
}

void FabricCarrier::ended(Lane& lane, const InnerCompletion& completion) noexcept {
  auto& operation = static_cast<Operation&>(*completion.operation);
  if (operation.kind != OperationKind::kSlot) {
    lane.under_way.remove(operation);
    let_go(operation, completion.length, completion.error);
    return;
  }
  auto& slot = static_cast<Slot&>(operation);
  slot.posted = false;
  const std::uint32_t number = lane.number;
  const std::uint32_t life = lane.life;
  if (completion.error == 0)
    events_.frame_arrived(util::Bytes(slot.buffer.get(), completion.length));
  Lane* still = find(number, life);
  if (!still)
    return;  // retired meanwhile: the slot is gone, or was posted again with the new endpoint
  // Not at once after an error, or a broken provider would spin here; the end of this pass posts it
  // again.
  if (completion.error != 0)
    ++still->idle_slots;
  else
    post_slot(*still, slot);
}

void FabricCarrier::let_go(Operation& operation, std::size_t length, int error) noexcept {
  operation.under_way = false;
  switch (operation.kind) {
    case OperationKind::kFrame:
      events_.frame_let_go(static_cast<FrameBuffer&>(operation), error);
      break;
    case OperationKind::kBulk:
      events_.bulk_let_go(static_cast<BulkOperation&>(operation), length, error);
      break;
    case OperationKind::kSink:
      sinks_.drop(static_cast<SinkOperation&>(operation));
      break;
    case OperationKind::kSlot:
      break;
  }
}

}  // namespace xs::carrier
