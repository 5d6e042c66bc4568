// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The sending side of a stream: window, posting, acknowledgement, replay.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "stream/session.hpp"
#include "stream/streams.hpp"

namespace xs::stream {

using proto::Kind;

namespace {
constexpr unsigned kPatience = 64;  // refused posts in a row before retries wait for the clock
constexpr util::Nanoseconds kRetry = util::kMillisecond;
constexpr util::Nanoseconds kRetryLongest = 100 * util::kMillisecond;
constexpr util::Nanoseconds kGapReplayPause = 10 * util::kMillisecond;
}  // namespace

FrameBuffer* Session::claim(Kind kind, std::size_t body, std::size_t tail) noexcept {
  const bool room =
      path_.writes ? open() && !standing_.goodbye_sent && find_ring_room(body + tail) : can_send();
  if (!room) {
    window_wanted_ = true;
    return nullptr;
  }
  FrameBuffer* frame = streams_.frames_.make(body);
  if (!frame) {
    window_wanted_ = true;
    streams_.list_due(*this);
    return nullptr;
  }
  frame->prefix.kind = kind;
  return frame;
}

bool Session::commit(FrameBuffer& frame, std::uint8_t flags, std::uint64_t cookie) noexcept {
  frame.prefix.flags = flags;
  frame.prefix.seq = tail_;
  frame.cookie = cookie;
  frame.owner = this;
  frame.kept = true;
  if (una_ == tail_) moved_at_ = streams_.now();
  slot(tail_) = &frame;
  ++path_.held;
  ++tail_;
  if (frame.tail && frame.prefix.kind == Kind::kEager) streams_.list_lent(*this);
  if (cursor_ + 1 == tail_) pump(streams_.now());
  streams_.due_at(streams_.now() + streams_.limits_.quiet);
  // In a ring it may be no more.
  return cursor_ == tail_ && (path_.writes || !frame.under_way);
}

void Session::say_goodbye() noexcept {
  if (standing_.goodbye_sent) return;
  FrameBuffer* frame = claim(Kind::kGoodbye, proto::Goodbye::kSize);
  if (!frame) return;
  proto::encode(proto::Goodbye{next_}, frame->body());
  frame->confirmed = true;  // nothing may follow that would show it was lost
  commit(*frame, proto::kAckNow, 0);
  standing_.goodbye_sent = true;
  path_.acks_wanted = true;
}

// Posts what has not been posted, in order.
void Session::pump(util::Nanoseconds now) noexcept {
  if (standing_.state != SessionState::kOpen && standing_.state != SessionState::kClosed) return;
  if (path_.writes) return pump_ring();
  while (cursor_ < tail_) {
    if (!slot(cursor_) && !keep_ring_frame(cursor_)) break;  // it stands in our former ring alone
    FrameBuffer& frame = *slot(cursor_);
    if (frame.under_way) return;  // its completion calls again
    if (now < pump_at_) break;
    frame.prefix.token = send_token_;
    frame.prefix.ack = next_;
    const std::uint8_t own = frame.prefix.flags & static_cast<std::uint8_t>(~proto::kRtsOnly);
    frame.prefix.flags = streams_.rts_only_ ? own | proto::kRtsOnly : own;
    const carrier::Posted posted = streams_.carrier_->post(route_, frame);
    if (posted != carrier::Posted::kOk) {
      refused(now, posted == carrier::Posted::kFailed);
      break;
    }
    again_ = 0;
    owed_.rides();
    if (cursor_ < highest_) ++counters_.replayed;
    highest_ = std::max(highest_, ++cursor_);
    if (++path_.fabric_frames == path_.needed) streams_.due_at(now);
    if (!frame.under_way) frame_left(frame);
  }
  if (cursor_ < tail_) streams_.list_due(*this);
}

// A post found no room. Each try may begin a connection anew: after some they get ever rarer.
void Session::refused(util::Nanoseconds now, bool for_good) noexcept {
  if (++again_ <= kPatience && !for_good) return;
  const unsigned doublings = std::min(again_ / kPatience, 7u) + 1;
  pump_at_ = now + std::min(kRetry << doublings, kRetryLongest);
}

// False: the number was never sent.
bool Session::acknowledged(std::uint64_t ack, util::Nanoseconds now) noexcept {
  if (ack <= una_) return true;  // old news, perhaps from an older connection
  if (ack > highest_) return false;
  if (path_.held == 0) una_ = ack;
  while (una_ < ack) drop_slot(una_++, 0);
  cursor_ = std::max(cursor_, una_);
  moved_at_ = now;
  unanswered_ = 0;
  evidence_.life();
  trouble_at_ = 0;
  if (path_.wants_to_write) streams_.due_at(now);
  if (window_wanted_ && can_send()) {
    window_wanted_ = false;
    streams_.upper_.window_opened(*this);
  }
  close_if_done();
  return true;
}

// What a word of the fabric, or GOODBYE, says that the peer has taken: P5. Beside a ring that we
// write it is kept. False: the number was never sent.
bool Session::told_taken(std::uint64_t ack, util::Nanoseconds now) noexcept {
  if (!path_.writes) return acknowledged(ack, now);
  if (ack > highest_) return false;
  path_.told = std::max(path_.told, ack);
  if (standing_.goodbye_taken) refresh_acks(now);
  return true;
}

// The stream does not need the frame any more; the inner provider may.
void Session::drop_slot(std::uint64_t seq, int error) noexcept {
  if (!slot(seq)) return;  // it stood in a ring alone
  FrameBuffer& frame = *slot(seq);
  slot(seq) = nullptr;
  --path_.held;
  frame.kept = false;
  frame.outcome = error;
  if (!frame.under_way) return streams_.release(frame);
  // Its bytes are a copy: who waits for the acknowledgement need not wait for the inner provider.
  if (!frame.tail) return streams_.report(frame);
  streams_.expect_let_go(frame);
}

// A frame by reference is not done with before it is acknowledged: it may have to be sent again.
void Session::frame_left(FrameBuffer& frame) noexcept {
  if (frame.cookie != 0 && !frame.tail && streams_.upper_.frame_left(frame.cookie))
    frame.cookie = 0;
}

bool Session::keep_copies() noexcept {
  bool more = false;
  for (std::uint64_t seq = una_; seq < tail_; ++seq) {
    if (!slot(seq)) continue;
    const FrameBuffer& frame = *slot(seq);
    if (!frame.tail || frame.prefix.kind != Kind::kEager) continue;
    if (seq < cursor_ && !frame.under_way) keep_copy(seq);
    more = more || slot(seq)->tail;
  }
  return more;
}

void Session::keep_copy(std::uint64_t seq) noexcept {
  FrameBuffer& lent = *slot(seq);
  FrameBuffer* copy = streams_.frames_.make(lent.body_size + lent.tail_size);
  if (!copy) return;
  std::memcpy(copy->body(), lent.body(), lent.body_size);
  std::memcpy(copy->body() + lent.body_size, lent.tail, lent.tail_size);
  copy->prefix = lent.prefix;
  copy->cookie = lent.cookie;
  copy->owner = this;
  copy->kept = true;
  slot(seq) = copy;
  streams_.frames_.drop(lent);
  frame_left(*copy);
}

// Go-back-N: everything from there on is posted again. What stands in a ring is not: only leaving
// it goes back.
void Session::rewind(std::uint64_t to) noexcept {
  if (path_.writes) return;
  cursor_ = std::min(cursor_, std::max(to, una_));
  if (cursor_ < tail_) streams_.list_due(*this);
}

void Session::let_go(FrameBuffer& frame, int error, util::Nanoseconds now) noexcept {
  if (error != 0) {
    // The connection broke. A pause, or a connection that breaks at once would be hammered.
    pump_at_ = std::max(pump_at_, now + kRetry);
    return rewind(frame.prefix.seq);
  }
  frame_left(frame);
  if (cursor_ == frame.prefix.seq) pump(now);
}

void Session::answered_echo(std::uint64_t echo, std::uint64_t ack, util::Nanoseconds now) noexcept {
  // Answers to what was asked on another path say nothing of this one.
  if (!ping_open_ || Path::mark_of(echo) != (path_.writes ? Path::mark_of(path_.mark(0)) : 0))
    return;
  ping_open_ = false;
  doubt_ = {};
  if (path_.writes) {
    // Before it answered, the peer has taken everything that stood in the ring when the PING left,
    // and said so there: else one of us looks at memory that the other does not write any more.
    refresh_acks(now);
    if (una_ < (echo & Path::kNumberMask)) leave(LeaveReason::kSilent);
    return;
  }
  const bool held_up = ack < echo && held_below();
  held_up_ = held_up ? held_up_ + 1 : 0;
  if (ack < echo) {
    // What was posted before the PING and has not come is lost, or on an older connection: then the
    // replay is a duplicate.
    rewind(ack);
    pump(now);
  }
}

void Session::gap_reported(std::uint64_t ack, util::Nanoseconds now) noexcept {
  if (ack < una_) return;
  if (!gap_replays_.passes(ack, now, kGapReplayPause)) return;
  rewind(ack);
  pump(now);
}

}  // namespace xs::stream
