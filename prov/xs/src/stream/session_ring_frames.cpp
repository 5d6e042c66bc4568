// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Frames of a session in rings: written, taken, acknowledged. docs/paths.md sections 3, 5 and 7.
#include <algorithm>
#include <array>
#include <cstring>

#include "stream/payload.hpp"
#include "stream/ring_writing.hpp"
#include "stream/session.hpp"
#include "stream/streams.hpp"
#include "util/pause.hpp"

namespace xs::stream {

using carrier::Claimed;
using carrier::Peeked;
using proto::Kind;
using proto::kRingHeadSize;

namespace {
constexpr unsigned kRingBatch = 16;  // frames taken per visit
// Frames without a payload are no larger.
constexpr std::size_t kSmall = 256;
static_assert(kSmall >= kRingHeadSize + proto::Cts::kSize);
static_assert(kSmall >= kRingHeadSize + proto::kConnectHeadSize + proto::kConnectDataLimit);
// Head, and envelope or what else stands before a payload.
constexpr std::size_t kHead =
    kRingHeadSize + std::max(proto::kEnvelopeSize, proto::kPayloadHeadSize);

// A peer that streams gets some frames ahead before the first of them is taken, if they are small:
// the copy of a large one is distance enough. What waits here is a moment long, and in vain for the
// last frames of a run. `ours`: as Distance has it.
void keep_distance(Path& path, std::uint64_t ours) noexcept {
  constexpr int kLooks = 64;
  const auto& consumer = path.ring->consumer();
  const std::uint32_t wanted = path.distance.wanted(ours);
  if (wanted == 0 || wanted > consumer.foreseen()) return;
  bool there = consumer.seems_ahead(wanted);
  for (int looks = kLooks; !there && looks > 0; --looks) {
    util::pause();
    there = consumer.seems_ahead(wanted);
  }
  path.distance.waited(!there);
  if (there) path.batch = kRingBatch;
}

}  // namespace

// ---- Writing ----

// There is none at first sight: perhaps more was taken than we know of.
bool Session::find_ring_room(std::size_t body) noexcept {
  if (cursor_ == tail_ && !path_.failed) {
    // Who is asking must not be called back meanwhile, nor who has waited longer be forgotten: what
    // would be told waits for the next pass.
    if (tail_ - una_ >= window_ && path_.held == 0 && !window_wanted_) refresh_acks(streams_.now());
    if (tail_ - una_ < window_) {
      const Claimed claimed = path_.ring->producer().claim(kRingHeadSize + body);
      if (claimed == Claimed::kOk) return true;
      if (claimed == Claimed::kFailed) path_.failed = true;
    }
  }
  path_.acks_wanted = window_wanted_ = true;
  streams_.list_due(*this);
  return false;
}

// The next frame that is put is the only one that the peer has yet to take.
void Session::begins_to_wait() noexcept {
  moved_at_ = path_.used_at = streams_.now();
  streams_.due_at(moved_at_ + streams_.limits_.quiet);
}

// What was made as a frame of its own, or was unacknowledged when writing began.
void Session::pump_ring() noexcept {
  while (cursor_ < tail_) {
    FrameBuffer& frame = *slot(cursor_);
    const std::size_t body = frame.body_size + frame.tail_size;
    auto& producer = path_.ring->producer();
    const Claimed claimed = path_.failed ? Claimed::kFailed : producer.claim(kRingHeadSize + body);
    if (claimed != Claimed::kOk) {
      path_.failed = claimed == Claimed::kFailed;
      path_.acks_wanted = true;
      break;
    }
    producer.put(kRingHeadSize, util::Bytes(frame.body(), frame.body_size));
    if (frame.tail)
      producer.put(kRingHeadSize + frame.body_size,
                   util::Bytes(static_cast<const std::byte*>(frame.tail), frame.tail_size));
    producer.put_words(ring_head(frame.prefix.kind, frame.prefix.flags, cursor_));
    if (producer.commit()) ring_bell();
    path_.ring_bytes += body;
    highest_ = std::max(highest_, ++cursor_);
    stands_in_ring(frame);
  }
  if (cursor_ < tail_) streams_.list_due(*this);
}

// The ring has a copy: the frame is needed no more, unless somebody waits for its acknowledgement
// or the inner provider still has it.
void Session::stands_in_ring(FrameBuffer& frame) noexcept {
  if (frame.under_way) {
    path_.acks_wanted = true;
    return;
  }
  if (frame.cookie != 0 && !streams_.upper_.frame_left(frame.cookie)) {
    path_.acks_wanted = true;
    return;
  }
  frame.cookie = 0;
  frame.kept = false;
  slot(frame.prefix.seq) = nullptr;
  --path_.held;
  streams_.frames_.drop(frame);
}

// What the peer has taken of our ring: P5. Frames that were acknowledged on the way into it may
// stand there, too. Who has said GOODBYE may never look there again: of what stands there, its word
// counts.
void Session::refresh_acks(util::Nanoseconds now) noexcept {
  if (!path_.writes) return;
  auto& producer = path_.ring->producer();
  if (producer.refresh() != carrier::Health::kFine) path_.failed = true;
  if (path_.ring_bytes >= path_.grow_at) streams_.due_at(now);
  const std::uint64_t counted = path_.base + producer.acknowledged();
  const std::uint64_t told = standing_.goodbye_taken ? std::min(path_.told, cursor_) : 0;
  const std::uint64_t ack = std::max(counted, told);
  if (ack <= una_) return;
  path_.used_at = now;
  acknowledged(ack, now);
}

void Session::ring_bell() noexcept {
  if (!path_.link) return;
  if (path_.link->ring() == hv::Rang::kNoBell) send_ack(0, 0);
}

// ---- Taking ----

// A frame of a kind that has a payload, whose turn it is: the payload is copied by who is above,
// once, to where it belongs. bytes: the head, and whatever else was copied with it.
inline Taken Session::hand_up_payload(const proto::RingHead& head, const std::byte* bytes,
                                      std::size_t size) noexcept {
  const std::size_t before = proto::head_before_payload(head.kind);
  const std::size_t at = kRingHeadSize + before;
  Payload payload(path_.ring->consumer(), at, size - at);
  ++next_;
  path_.taking = true;
  const proto::Envelope envelope{util::load<std::uint64_t>(bytes + kRingHeadSize),
                                 util::load<std::uint64_t>(bytes + kRingHeadSize + 8)};
  Upper& upper = streams_.upper_;
  const Taken taken =
      head.kind == Kind::kEager
          ? upper.eager_received(*this, envelope, head.flags, payload)
          : upper.payload_received(
                *this, {head.kind, head.flags, util::Bytes(bytes + kRingHeadSize, before)},
                payload);
  path_.taking = false;
  if (taken == Taken::kVanished) --next_;
  return taken;
}

// The same for any other kind: all of it is copied and taken before it is looked at.
Taken Session::hand_up_whole(const proto::RingHead& head, std::size_t size) noexcept {
  auto& consumer = path_.ring->consumer();
  std::array<std::byte, kSmall> bytes;
  if (size > kSmall) return Taken::kVanished;
  consumer.copy(0, bytes.data(), size);
  if (!consumer.release()) return Taken::kVanished;
  if (head.kind == Kind::kGoodbye) standing_.goodbye_taken = true;
  const proto::Prefix prefix{.kind = head.kind, .flags = head.flags, .seq = next_};
  ++next_;
  path_.taking = true;
  const Taken taken = hand_up({prefix, util::Bytes(bytes.data(), size).subspan(kRingHeadSize)});
  path_.taking = false;
  return taken;
}

// A frame whose turn it is. False: as take_ring_frame().
inline bool Session::hand_up_ring_frame(const proto::RingHead& head, const std::byte* bytes,
                                        std::size_t size) noexcept {
  if (standing_.goodbye_taken) return false;
  const bool has_payload = proto::head_before_payload(head.kind) > 0;
  const Taken taken = has_payload ? hand_up_payload(head, bytes, size) : hand_up_whole(head, size);
  if (taken == Taken::kVanished) return false;
  standing_.peer_rts_only = (head.flags & proto::kRtsOnly) != 0;
  // Somebody waits for it, and may have to for long if we go away and compute.
  if ((head.flags & proto::kAckNow) != 0 && path_.ring->consumer().publish()) ring_bell();
  if (taken == Taken::kLie) streams_.lie(*this, "an impossible value");
  if (standing_.goodbye_taken) close_if_done();
  return true;
}

// Takes the frame that was found: P4. False: the ring is to be left, and nothing was taken of it.
bool Session::take_ring_frame() noexcept {
  auto& consumer = path_.ring->consumer();
  const std::uint32_t size = consumer.size();
  alignas(8) std::array<std::byte, kHead> bytes;
  consumer.copy_first(bytes);
  const auto head = proto::unpack_ring_head(util::load<std::uint64_t>(bytes.data()),
                                            size - static_cast<std::uint32_t>(kRingHeadSize));
  const auto ahead =
      head ? static_cast<std::int32_t>(head->number - static_cast<std::uint32_t>(next_)) : 1;
  if (size < kRingHeadSize || ahead > 0 || !path_.begun || head->number != path_.expected)
      [[unlikely]] {
    if (size < kRingHeadSize || ahead > 0 || path_.begun) {
      (void)consumer.stands();  // a lie, or is the memory gone?
      return false;
    }
    first_in_ring(head->number);
  }
  path_.ring_bytes += size;
  if (ahead < 0 ? !consumer.release() : !hand_up_ring_frame(*head, bytes.data(), size))
    return false;
  path_.expected = head->number + 1;
  return true;
}

void Session::first_in_ring(std::uint32_t number) noexcept {
  path_.begun = true;
  path_.expected = number;
  if (awaited_.ring) back_after_move("ring", awaited_.ring, move_times_.ring, streams_.now());
}

[[gnu::always_inline]] inline void Session::found_in_ring(util::Nanoseconds now) noexcept {
  if (path_.armed) [[unlikely]]
    disarm_ring();
  path_.used_at = now;
  if (path_.ring_bytes >= path_.grow_at) [[unlikely]]
    streams_.due_at(now);
  heard(now);
  // Step 4: who finds a frame knows that its writer has mapped our ring.
  if (path_.state == PathState::kAnswered) [[unlikely]]
    joined(now);
}

// Looks into the peer's ring. Returns how many frames there were. One that has just been taken is
// often the only one, and a look at the next cell would fetch a line that the peer is about to
// write: only who found the ring never empty looks further.
unsigned Session::visit_ring(util::Nanoseconds now) noexcept {
  unsigned count = 0;
  auto& consumer = path_.ring->consumer();
  if (path_.batch == 1 && path_.distance.streams() && consumer.peek() == Peeked::kFrame)
    keep_distance(path_, tail_);
  for (;;) {
    count += streams_.upper_.usual_received(*this, path_.batch - count);
    if (!path_.reads) return count;  // the session has ended
    if (count == path_.batch) {
      // Who always finds as many may never find nothing, and its user may look elsewhere now.
      if (count == kRingBatch && consumer.publish()) ring_bell();
      path_.batch = std::min(2 * path_.batch, kRingBatch);
      break;
    }
    const Peeked peeked = consumer.peek();
    if (peeked == Peeked::kEmpty) {
      path_.batch = 1;
      if (consumer.publish()) ring_bell();
      break;
    }
    if (peeked == Peeked::kFailed || !take_ring_frame()) {
      path_.failed = path_.unreadable = true;
      streams_.list_due(*this);
      return count;
    }
    ++count;
    if (!path_.reads) return count;
    if (consumer.publish_due() && consumer.publish()) ring_bell();
  }
  if (count > 0) {
    path_.distance.took(count, tail_);
    found_in_ring(now);
  }
  return count;
}

// Everything that stands there now, and no more than the ring can hold.
void Session::drain_ring(util::Nanoseconds now) noexcept {
  if (!path_.ring || !path_.ring->ready() || path_.taking || path_.unreadable) return;
  auto& consumer = path_.ring->consumer();
  const std::uint64_t before = next_;
  for (std::uint32_t left = consumer.largest() / carrier::kRingCell + 1; left > 0; --left) {
    const Peeked peeked = consumer.peek();
    if (peeked == Peeked::kEmpty) break;
    if (peeked == Peeked::kFailed || !take_ring_frame()) {
      path_.failed = path_.unreadable = true;
      streams_.list_due(*this);
      return;  // and nothing is published any more
    }
    if (standing_.state == SessionState::kDead) return;
  }
  if (next_ != before) heard(now);
  if (consumer.publish()) ring_bell();
}

// What a pass does for a session that writes or has found its ring bad.
void Session::run_path(util::Nanoseconds now) noexcept {
  if (path_.state == PathState::kFabric || path_.state == PathState::kLeaving) {
    path_.failed = false;
    return;
  }
  if (path_.failed) {
    const bool lost =
        path_.ring->ready() && (path_.ring->consumer().health() == carrier::Health::kLost ||
                                path_.ring->producer().health() == carrier::Health::kLost);
    // Gone with the place that either of us has left: nobody is at fault.
    if (lost && path_.link && !path_.link->look_open()) return leave(LeaveReason::kLink);
    return leave(lost ? LeaveReason::kLost : LeaveReason::kBroken);
  }
  if (path_.writes && path_.acks_wanted) {
    path_.acks_wanted = path_.held > 0 || window_wanted_ || standing_.goodbye_sent;
    refresh_acks(now);
  }
}

// ---- Sleeping ----

// True: the peer rings when there is a frame, or what we wait for was taken.
bool Session::arm_ring() noexcept {
  if (!path_.reads) return true;
  if (path_.failed) return false;
  auto& ring = *path_.ring;
  if (!ring.terms().consumer_sleeps) {
    // Made before anybody slept.
    leave(LeaveReason::kTerms);
    return false;
  }
  if (ring.consumer().publish()) ring_bell();
  if (!ring.consumer().arm()) return false;
  path_.armed = true;
  path_.acks_armed = false;
  if (!waits_for_acks()) return true;
  return path_.acks_armed = ring.producer().arm_until(ring.producer().acknowledged() + 1);
}

void Session::disarm_ring() noexcept {
  path_.armed = path_.acks_armed = false;
  path_.ring->consumer().disarm();
  path_.ring->producer().disarm();
}

}  // namespace xs::stream
