// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a session leaves a ring, and what it says until the other side has answered: docs/paths.md
// sections 5 and 6.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "stream/session.hpp"
#include "stream/streams.hpp"
#include "util/log.hpp"

namespace xs::stream {

using proto::Kind;
using util::Level;
using util::log;

namespace {
constexpr util::Nanoseconds kRepeatLongest = 30 * util::kSecond;
constexpr unsigned kRepeatDoubling = 8;
constexpr util::Nanoseconds kMemoryPause = 10 * util::kMillisecond;  // until it is asked for again
}  // namespace

// ---- Leaving ----

// The one transition. Not from inside the handling of a frame of the ring, nor from a send.
void Session::leave(LeaveReason reason) noexcept {
  if (path_.state == PathState::kFabric || path_.state == PathState::kLeaving) return;
  const util::Nanoseconds now = streams_.now();
  if (!stop_using_ring(reason, now)) return;
  path_.state = PathState::kLeaving;
  path_.reason = static_cast<std::uint32_t>(reason);
  path_.repeats = 0;
  repeat_path(now);
  pump(now);
}

// Steps 1 and 2 of leaving. False: the session has ended meanwhile.
bool Session::stop_using_ring(LeaveReason reason, util::Nanoseconds now) noexcept {
  const bool fault = is_fault(reason);
  if (fault) ++path_.counters.faults;
  // Of what was refused refused_ring() or hv has told.
  const bool untold = fault && reason != LeaveReason::kRefused;
  if (untold && !std::exchange(path_.warned, true))
    log(Level::kWarn, "%s: ring left: %s", home_.text().c_str(), text_of(reason));
  else
    log(Level::kInfo, "%s: ring %llu left: %s", home_.text().c_str(),
        static_cast<unsigned long long>(path_.epoch), text_of(reason));
  path_.ring->wipe_witness();
  if (path_.reads) drain_ring(now);
  if (standing_.state == SessionState::kDead) return false;
  ++path_.counters.left;
  path_.reads = path_.wants_to_write = path_.armed = false;
  path_.largest = Path::kNoLimit;
  path_.offer.reset();
  stop_writing(now);
  path_.ring->revoke();
  path_.grows = reason == LeaveReason::kGrow;
  put_off(fault);
  if (!fault && reason != LeaveReason::kBudget) path_.needed = 1;
  return true;
}

// P3: what stands in our ring alone becomes kept frames again, now or when there is memory.
void Session::stop_writing(util::Nanoseconds now) noexcept {
  if (!path_.writes) return;
  auto& producer = path_.ring->producer();
  if (producer.refresh() != carrier::Health::kFine) path_.failed = true;
  // No more is written before anybody is told of room: that would go where frames stood that the
  // peer has taken since, and una_ does not know of it.
  path_.writes = false;
  path_.since = now;
  path_.behind = cursor_;
  cursor_ = una_;
  acknowledged(std::max(path_.base + producer.acknowledged(), path_.told), now);
  (void)take_back_frames();
  cursor_ = una_;
  if (una_ < tail_) streams_.list_due(*this);
}

// False: no memory for all of them. pump() asks again for the one that it needs, and whoever would
// give back the region.
bool Session::take_back_frames() noexcept {
  for (std::uint64_t seq = una_; seq < path_.behind; ++seq)
    if (!slot(seq) && !keep_ring_frame(seq)) return false;
  path_.behind = 0;
  return true;
}

bool Session::keep_ring_frame(std::uint64_t seq) noexcept {
  const carrier::Kept kept = path_.ring->producer().kept(seq - path_.base + 1);
  const std::size_t body = kept.first.size() + kept.rest.size() - proto::kRingHeadSize;
  FrameBuffer* frame = streams_.frames_.make(body);
  if (!frame) return false;
  const auto word = util::load<std::uint64_t>(kept.first.data());
  const util::Bytes first = kept.first.subspan(proto::kRingHeadSize);
  std::memcpy(frame->body(), first.data(), first.size());
  if (!kept.rest.empty())
    std::memcpy(frame->body() + first.size(), kept.rest.data(), kept.rest.size());
  frame->prefix.kind = static_cast<Kind>(word & 0xff);
  frame->prefix.flags = static_cast<std::uint8_t>(word >> 8);
  frame->prefix.seq = seq;
  frame->confirmed = frame->prefix.kind == Kind::kGoodbye;
  frame->owner = this;
  frame->kept = true;
  slot(seq) = frame;
  ++path_.held;
  return true;
}

// ack: what its sender has taken, which counts as soon as we write no ring.
void Session::left_received(const proto::Left& left, std::uint64_t ack,
                            util::Nanoseconds now) noexcept {
  if (path_.offer && path_.offer->epoch <= left.epoch) path_.offer.reset();
  if (left.epoch == path_.epoch && path_.state != PathState::kFabric) {
    // It may be in a ring that we take it to have refused: then it is told as if by ourselves.
    const bool refused = left.answer && path_.state == PathState::kJoined;
    if (path_.state != PathState::kLeaving && !stop_using_ring(LeaveReason::kAsked, now)) return;
    acknowledged(ack, now);
    const auto reason = static_cast<LeaveReason>(left.reason);
    path_.grows = path_.grows || reason == LeaveReason::kGrow;
    if (is_fault(reason) || reason == LeaveReason::kBudget) put_off(is_fault(reason));
    if (refused) say_left(left.epoch, false, LeaveReason::kAsked);
    finish_leaving(now);
    if (standing_.state == SessionState::kDead) return;
    pump(now);
  } else if (path_.state == PathState::kFabric && !proposes()) {
    path_.epoch = std::max(path_.epoch, left.epoch);
  }
  if (!left.answer) say_left(left.epoch, true, LeaveReason::kAsked);
}

// Both have left. What the peer wrote until it knew is taken from the mapping, if that is sound; it
// comes over the fabric, too, if the peer lives.
void Session::finish_leaving(util::Nanoseconds now) noexcept {
  const std::uint64_t before = next_;
  drain_ring(now);
  if (standing_.state == SessionState::kDead) return;
  if (next_ != before) {
    owed_.now = true;  // our region, which would say it, goes
    streams_.list_due(*this);
  }
  if (!take_back_frames()) {
    // Our region is needed, the peer's is not: it may be gone for long, and what is mapped of it
    // must not stand when we are moved (docs/migration.md, M1).
    path_.ring->unmap();
    // Neither offers nor answers meanwhile (P6): the next ring would take this one's place.
    path_.state = PathState::kLeaving;
    path_.answered = true;
    path_.repeat_at = now + kMemoryPause;
    return streams_.due_at(path_.repeat_at);
  }
  drop_ring();
  streams_.due_at(now);  // for the next one
}

void Session::drop_ring() noexcept {
  path_.state = PathState::kFabric;
  path_.repeat_at = util::kNever;
  path_.reads = path_.writes = path_.wants_to_write = path_.answered = false;
  path_.ring.reset();
}

// A session that is over keeps its mapping until it is destroyed, or its next tick: somebody may be
// copying.
void Session::forget_ring() noexcept {
  if (path_.ring) path_.ring->wipe_witness();
  path_.state = PathState::kFabric;
  path_.reads = path_.writes = path_.wants_to_write = false;
  path_.repeat_at = util::kNever;
  path_.largest = Path::kNoLimit;
  path_.offer.reset();
}

// ---- What is said, and said again ----

// P7: says what the other side has not answered yet, ever more rarely.
void Session::repeat_path(util::Nanoseconds now) noexcept {
  switch (path_.state) {
    case PathState::kOffered:
    case PathState::kAnswered:
      say_offer();
      break;
    case PathState::kLeaving:
      if (path_.answered) return finish_leaving(now);
      say_leaving();
      break;
    default:
      break;
  }
  const util::Nanoseconds pause = streams_.limits_.quiet
                                  << std::min(path_.repeats++, kRepeatDoubling);
  path_.repeat_at = now + std::min(pause, kRepeatLongest);
  streams_.due_at(path_.repeat_at);
}

util::Nanoseconds Session::tick_path(util::Nanoseconds now) noexcept {
  if (standing_.state == SessionState::kClosed) return close_ring(now);
  if (!open()) return util::kNever;
  if (path_.wants_to_write) try_to_write(now);
  if (path_.state == PathState::kJoined && path_.ring_bytes >= path_.grow_at) {
    grow();
    if (!open()) return util::kNever;
  }
  consider_ring(now);
  if (now >= path_.repeat_at) repeat_path(now);
  return path_.repeat_at;
}

// Everything is taken in both directions, but for a GOODBYE of ours that crossed the peer's: that
// becomes a frame like others. Nobody copies now.
util::Nanoseconds Session::close_ring(util::Nanoseconds now) noexcept {
  if (!path_.ring) return util::kNever;
  if (path_.state != PathState::kFabric) {
    stop_writing(now);
    if (path_.ring->ready() && path_.ring->consumer().publish()) ring_bell();
    forget_ring();
    pump(now);
  }
  path_.ring->unmap();
  if (!take_back_frames()) return now + kMemoryPause;
  path_.ring.reset();
  return util::kNever;
}

void Session::say_offer() noexcept {
  const proto::Offer offer{path_.epoch, path_.ring->name(), path_.ring->pages(), path_.wished};
  say_of_path(Kind::kOffer, offer);
}

void Session::say_mapped() noexcept { say_of_path(Kind::kMapped, proto::Mapped{path_.epoch}); }

void Session::say_left(std::uint64_t epoch, bool answer, LeaveReason reason) noexcept {
  say_of_path(Kind::kLeft, proto::Left{epoch, answer, static_cast<std::uint32_t>(reason)});
}

// False: there was no room for it.
bool Session::say_leaving() noexcept {
  return say_of_path(Kind::kLeft, proto::Left{path_.epoch, false, path_.reason});
}

template <class Body>
bool Session::say_of_path(Kind kind, const Body& body) noexcept {
  if (send_token_ == 0) return false;
  FrameBuffer* frame = streams_.make_control(kind, Body::kSize);
  if (!frame) return false;
  frame->prefix.token = send_token_;
  frame->prefix.ack = next_;
  if (streams_.rts_only_) frame->prefix.flags = proto::kRtsOnly;
  proto::encode(body, frame->body());
  return streams_.post_control(route_, *frame);
}

}  // namespace xs::stream
