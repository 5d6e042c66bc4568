// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The receiving side of a stream: order, acknowledgement, gaps.
#include "stream/session.hpp"
#include "stream/streams.hpp"

namespace xs::stream {

using proto::Kind;

namespace {
constexpr util::Nanoseconds kGapPause = util::kMillisecond;
constexpr std::uint32_t kSoonMost = 4;  // acknowledgements asked for soon that wait for each other
}  // namespace

// A checked frame under our token. False: the peer lies.
bool Session::take(const proto::FrameView& frame, util::Nanoseconds now) noexcept {
  if (standing_.state != SessionState::kOpen && standing_.state != SessionState::kClosed)
    return true;
  // What is repeated about rings says nothing at all.
  if (frame.prefix.kind == Kind::kPing)
    seen(now);
  else if (frame.prefix.kind < Kind::kOffer)
    heard(now);
  if (!told_taken(frame.prefix.ack, now)) return false;
  const bool sequenced = proto::is_sequenced(frame.prefix.kind);
  if (sequenced || frame.prefix.kind == Kind::kAck)
    standing_.peer_rts_only = (frame.prefix.flags & proto::kRtsOnly) != 0;
  if (sequenced) return take_sequenced(frame, now);
  if (frame.prefix.kind == Kind::kAck) {
    if (frame.prefix.seq != 0) answered_echo(frame.prefix.seq, frame.prefix.ack, now);
    if (frame.prefix.flags & proto::kGap) gap_reported(frame.prefix.ack, now);
  }
  return true;
}

bool Session::take_sequenced(const proto::FrameView& frame, util::Nanoseconds now) noexcept {
  // Its writer has left the ring, and what it wrote there before is to be taken first.
  if (frame.prefix.seq > next_ && path_.reads) {
    drain_ring(now);
    if (standing_.state == SessionState::kDead) return true;
  }
  if (frame.prefix.seq != next_) {
    if (frame.prefix.seq < next_) {
      // Where a ring was joined, what was under way comes twice.
      if (!path_.reads) ++counters_.duplicates;
    } else {
      ++counters_.gaps;
      if (!owed_.gaps.passes(next_, now, kGapPause)) return true;
      owed_.gap = true;
    }
    owed_.now = true;
    streams_.list_due(*this);
    return true;
  }
  if (standing_.goodbye_taken) return false;  // nothing follows a GOODBYE
  ++next_;
  if (awaited_.fabric) [[unlikely]]
    back_after_move("fabric", awaited_.fabric, move_times_.fabric, now);
  if (++path_.fabric_frames == path_.needed) streams_.due_at(now);
  if (++owed_.frames == 1) streams_.list_owing(*this);
  if ((frame.prefix.flags & proto::kAckSoon) != 0) {
    ++owed_.soon;
    streams_.ack_when_idle();
  }
  if ((frame.prefix.flags & proto::kAckNow) != 0 || owed_.soon >= kSoonMost ||
      owed_.frames >= streams_.limits_.window / 4) {
    owed_.now = true;
    streams_.list_due(*this);
  }
  if (frame.prefix.kind == Kind::kGoodbye) standing_.goodbye_taken = true;
  const bool honest = hand_up(frame) == Taken::kYes;
  close_if_done();
  return honest;
}

// A frame in private memory, whose turn it is.
Taken Session::hand_up(const proto::FrameView& frame) noexcept {
  if (frame.prefix.kind == Kind::kGoodbye && !goodbye_received(frame.body)) return Taken::kLie;
  const std::size_t head = proto::head_before_payload(frame.prefix.kind);
  if (head == 0) return streams_.upper_.frame_received(*this, frame) ? Taken::kYes : Taken::kLie;
  Payload payload(frame.body.subspan(head));
  const util::Bytes before = frame.body.first(head);
  if (frame.prefix.kind != Kind::kEager)
    return streams_.upper_.payload_received(*this, {frame.prefix.kind, frame.prefix.flags, before},
                                            payload);
  return streams_.upper_.eager_received(*this, *proto::decode_envelope(before), frame.prefix.flags,
                                        payload);
}

// False: the peer lies.
bool Session::goodbye_received(util::Bytes body) noexcept {
  // It ends rendezvous: their users get back what may be being read.
  if (path_.ring) path_.ring->wipe_witness();
  const auto goodbye = proto::decode_goodbye(body);
  return goodbye && told_taken(goodbye->taken, streams_.now());
}

void Session::ping_received(const proto::FrameView& frame, const proto::Ping& ping,
                            util::Nanoseconds now) noexcept {
  if (ping.sender != peer_) return;
  if (path_.reads) drain_ring(now);  // before the answer says what was taken
  if (standing_.state == SessionState::kDead) return;
  const bool moved = ping.lane > peer_route_;
  take_route(ping.lane, ping.answer);
  if (moved) {
    rewind(una_);
    pump(now);
  }
  owed_.echo = frame.prefix.seq;
  owed_.now = true;
  streams_.list_due(*this);
}

bool Session::send_ack(std::uint8_t flags, std::uint64_t echo) noexcept {
  FrameBuffer* frame = streams_.make_control(Kind::kAck, 0);
  if (!frame) return false;
  frame->prefix.flags = flags;
  if (streams_.rts_only_) frame->prefix.flags |= proto::kRtsOnly;
  frame->prefix.token = send_token_;
  frame->prefix.seq = echo;
  frame->prefix.ack = next_;
  frame->confirmed = standing_.goodbye_taken;  // we may leave once it has left
  return streams_.post_control(route_, *frame);
}

// Says what is owed; stays owed if it can't be said now.
void Session::flush_ack() noexcept {
  if (standing_.state != SessionState::kOpen && standing_.state != SessionState::kClosed) {
    owed_.is_said();
    return;
  }
  if (streams_.now() < pump_at_) return;
  // Who asks may not have heard that we read no more, and would take the ring for frozen: it hears
  // so first, and the same way.
  const bool tells = owed_.echo != 0 && path_.state == PathState::kLeaving;
  if (tells && !say_leaving()) return refused(streams_.now(), false);
  if (!send_ack(owed_.gap ? proto::kGap : 0, owed_.echo)) return refused(streams_.now(), false);
  again_ = 0;
  owed_.is_said();
}

}  // namespace xs::stream
