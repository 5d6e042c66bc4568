// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>

#include "carrier/frame_buffer.hpp"
#include "proto/frame.hpp"
#include "proto/greeting.hpp"
#include "stream/payload.hpp"
#include "util/clock.hpp"

namespace xs::stream {

class Session;
using carrier::BulkOperation;
using carrier::FrameBuffer;
using Card = proto::NeighbourCard;

// The narrow interface through which three things travel upwards: frames received, frames released,
// events of a session. Calls come from inside Streams::progress() and Streams::retire paths; all
// may send, none may destroy the Streams.
class Upper {
 public:
  // A sequenced frame, exactly once, in order. Its body is valid during the call. False: the peer
  // lies (logged by the one who saw it), the session ends.
  virtual bool frame_received(Session& session, const proto::FrameView& frame) noexcept = 0;
  // The same for EAGER, and for the other kinds with a payload, which may still stand in a
  // neighbour's memory. flags: of the frame. Head::bytes: what stands before the payload.
  virtual Taken eager_received(Session& session, proto::Envelope envelope, std::uint8_t flags,
                               Payload& payload) noexcept = 0;
  struct Head {
    proto::Kind kind;
    std::uint8_t flags;
    util::Bytes bytes;
  };
  virtual Taken payload_received(Session& session, const Head& head, Payload& payload) noexcept = 0;
  // A ring may have what almost all frames are: tagged EAGER frames in their turn. Takes up to
  // `most` of them by Session::take_usual_frames and says how many; what it leaves, all if need be,
  // comes one by one as ever.
  virtual unsigned usual_received(Session& session, unsigned most) noexcept = 0;
  // A frame committed with a cookie is acknowledged (error 0), or its session has ended so. If it
  // has a tail, the inner provider has let go of that too.
  virtual void frame_released(std::uint64_t cookie, int error) noexcept = 0;
  // A frame with a cookie has left: the inner provider has sent it and it had no tail, or a ring
  // has a copy. It is kept for replay all the same. True: nothing more need be told of it.
  virtual bool frame_left(std::uint64_t cookie) noexcept = 0;
  // A session with this home address is usable now: the one the upper layer asked for, or one that
  // a peer began. The upper layer sets session.owner. Called once per session, before any of its
  // frames.
  virtual void session_opened(Session& session) noexcept = 0;
  // Room in the window after claim() had none.
  virtual void window_opened(Session& session) noexcept = 0;
  // The session is over: error is a positive errno. It is destroyed soon after; session.owner must
  // forget it.
  virtual void session_ended(Session& session, int error) noexcept = 0;
  // The peer's process tells of another place where it lives (Session::peer_card), or of what is
  // about to happen to it. before: what it said last.
  virtual void card_changed(Session& session, const Card& before) noexcept = 0;
  // From now on what the session sends goes by a ring. Nothing may be sent from inside this call.
  virtual void ring_joined(Session& session) noexcept = 0;
  virtual void bulk_let_go(BulkOperation& operation, std::size_t length, int error) noexcept = 0;
  // It is the time that Streams::remind() was asked for.
  virtual void reminded(util::Nanoseconds) noexcept {}

 protected:
  ~Upper() = default;
};

}  // namespace xs::stream
