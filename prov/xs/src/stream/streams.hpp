// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// All sessions of one endpoint over one carrier: who a frame is for, and what is due when.
#pragma once
#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "carrier/fabric_carrier.hpp"
#include "stream/readers.hpp"
#include "stream/session.hpp"
#include "stream/upper.hpp"
#include "util/clock.hpp"
#include "util/random.hpp"
#include "util/result.hpp"

namespace xs::stream {

struct StreamLimits {
  std::uint32_t largest_frame;  // bytes taken, prefix included
  std::uint32_t window;         // frames a peer may have unacknowledged
  std::size_t receive_buffers;
  util::Nanoseconds quiet;
  util::Nanoseconds peer_timeout;   // of silence, not even of its kernel
  util::Nanoseconds pause_timeout;  // the same if its VM, or ours, was about to be moved
  Rings* rings = nullptr;           // outlives the streams; null: there are none
};

struct StreamCounters {
  std::uint64_t noise = 0;    // what arrived and is no frame
  std::uint64_t unknown = 0;  // frames under a token that is nobody's
  std::uint64_t refused = 0;  // greetings refused, by either side
  std::uint64_t lies = 0;     // sessions ended for an impossible value
  std::uint64_t dead = 0;     // sessions ended by evidence
  std::uint64_t resets = 0;   // sessions ended by RESET
};

class Streams final : private carrier::CarrierEvents {
 public:
  static util::Result<std::unique_ptr<Streams>> open(carrier::InnerProvider& inner,
                                                     const StreamLimits& limits, util::Clock& clock,
                                                     util::Random& random, Upper& upper) noexcept;
  ~Streams();

  const proto::Address& name() const noexcept { return carrier_->home(); }
  const proto::Incarnation& incarnation() const noexcept { return incarnation_; }
  // The session towards that endpoint name, begun now if there is none that works; nullptr when
  // memory is exhausted. session_opened() follows, at once for one that is open already.
  Session* greet(const proto::Address& home) noexcept;
  // Sends every acknowledgement that is owed, now.
  void flush_owing() noexcept;
  // Whether the inner provider still has frames of ours: closing would lose them.
  bool sending() const noexcept { return carrier_->sending(); }
  // No new sessions from here on: the endpoint is parting.
  void begin_closing() noexcept { closing_ = true; }
  // Whether our own frames ask peers to announce payloads only.
  void set_rts_only(bool wanted) noexcept { rts_only_ = wanted; }

  carrier::Posted bulk_send(Session& session, std::uint64_t tag, std::span<const struct iovec> iov,
                            BulkOperation& operation) noexcept;
  carrier::Posted bulk_receive(Session& session, std::uint64_t tag,
                               std::span<const struct iovec> iov,
                               BulkOperation& operation) noexcept;
  void bulk_cancel(BulkOperation& operation) noexcept { carrier_->cancel(operation); }
  void bulk_abandon(BulkOperation& operation, std::uint64_t tag, std::size_t length) noexcept {
    carrier_->sink(operation.lane, tag, length);
  }
  // Last resort to get user memory back from an inner provider that does not let go of it: closes
  // the lane. Not from inside an Upper call.
  void retire(BulkOperation& operation) noexcept { carrier_->retire(operation.lane); }
  std::uint64_t new_bulk_tag() noexcept;
  // Whether bulk transfers can be trusted to end; without, payloads go through the stream.
  bool bulk_ends() const noexcept { return inner_.bulk_ends(); }
  std::size_t iov_limit() const noexcept { return carrier_->iov_limit(); }

  // Where our process lives, for greetings from now on; and to tell the peers that we have now.
  void set_card(const proto::NeighbourCard& card) noexcept { card_ = card; }
  void tell_card() noexcept;
  // Whether everybody who is open has answered it.
  bool peers_know_card() const noexcept;
  // hv has another budget: rings beyond it are left.
  void keep_budget() noexcept;

  // Takes what arrived, sends what is due.
  void progress() noexcept;
  // Whether the last pass looked at the fabric: it does not always while rings are read.
  bool looked_far() const noexcept { return looked_far_; }
  // Whether an offer waits for what hv may have to tell. Says so once.
  bool wants_neighbours() noexcept { return std::exchange(rings_.look_wanted, false); }
  // For sleepers, as in FabricCarrier. due(): when progress() has something to do though no
  // descriptor may tell.
  void set_waits(carrier::WaitSet& waits) noexcept { carrier_->set_waits(waits); }
  bool may_sleep() noexcept;
  bool settled() const noexcept;
  // The next passes leave nothing out.
  void look_everywhere() noexcept { far_passes_ = std::max(far_passes_, kFarPasses); }
  util::Nanoseconds due() const noexcept;
  // Upper::reminded() in the first pass from then on, once; the earliest wish counts.
  void remind(util::Nanoseconds when) noexcept {
    remind_at_ = std::min(remind_at_, when);
    due_at(when);
  }
  // Whether something is to be sent, or sent again, over the fabric that nobody but us can send.
  bool restless() const noexcept;
  // Calls f(Session&) for every session; f must not begin or end any.
  template <class F>
  void for_each(F&& f) {
    for (auto& [token, session] : sessions_) f(*session);
  }
  const StreamCounters& counters() const noexcept { return counters_; }
  // Frames in memory: kept for replay, or still with the inner provider.
  std::size_t frames() const noexcept { return frames_.live(); }
  util::Nanoseconds now() const noexcept { return now_; }
  util::Nanoseconds precise_now() const noexcept { return clock_.precise(); }

 private:
  friend class Session;

  Streams(carrier::InnerProvider& inner, const StreamLimits& limits, util::Clock& clock,
          util::Random& random, Upper& upper);  // throws bad_alloc

  void frame_arrived(util::Bytes bytes) noexcept override;
  void frame_let_go(FrameBuffer& frame, int error) noexcept override;
  void bulk_let_go(BulkOperation& operation, std::size_t length, int error) noexcept override;
  void lane_gone(std::uint32_t lane) noexcept override;

  Session* find(std::uint64_t token) noexcept;
  Session* find_by_send_token(std::uint64_t token) noexcept;
  Session* find_by_nonce(std::uint64_t nonce) noexcept;
  Session* find_by_peer_nonce(std::uint64_t nonce) noexcept;
  Session* current(const proto::Address& home) noexcept;
  void reserve_lists(std::size_t sessions);  // throws bad_alloc
  Session* make_session(const proto::Address& home) noexcept;
  void hello(const proto::FrameView& frame) noexcept;
  void welcome(const proto::FrameView& frame) noexcept;
  void refuse(const proto::FrameView& frame) noexcept;
  void reset(const proto::FrameView& frame) noexcept;
  void of_path(Session& session, const proto::FrameView& frame) noexcept;
  void unknown_token(const proto::FrameView& frame) noexcept;
  void lie(Session& session, const char* what) noexcept;
  bool acceptable(const proto::Greeting& greeting, proto::RefuseReason& reason) const noexcept;
  void forget_old_candidates() noexcept;
  // A control frame to an address that no session stands for; lost if it can't go now.
  void send_stray(std::uint32_t lane, const proto::Address& to, FrameBuffer& frame) noexcept;
  // route: the number in what is answered.
  void send_reset(const proto::Address& to, std::uint64_t refused, std::uint32_t route) noexcept;

  // For sessions
  FrameBuffer* make_control(proto::Kind kind, std::size_t body) noexcept;
  bool post_control(const carrier::Route& route, FrameBuffer& frame) noexcept;
  void report(FrameBuffer& frame) noexcept;
  void release(FrameBuffer& frame) noexcept;
  std::uint32_t new_lane_for(std::uint32_t used) noexcept;
  void opened(Session& session) noexcept;
  // False, and nothing changed: another session has that token.
  bool rekey(Session& session, std::uint64_t receive_token) noexcept;
  void list_due(Session& session) noexcept;
  void list_reader(Session& session) noexcept;
  // Room for rings: stream/streams_room.cpp
  std::uint32_t ring_room(const Session& session, std::uint32_t wanted) noexcept;
  std::uint32_t larger_ring(const Session& session) noexcept;
  bool make_ring_room(const Session& session, std::size_t bytes) noexcept;
  void vacate(const Session& asking, const Budget& budget) noexcept;
  Session* longest_unused(const Session& asking, const Budget* of) noexcept;
  Session* least_used(const Session& asking, const Budget& of) noexcept;
  Session* too_large(const Budget& of) noexcept;
  void count_frames() noexcept;
  void list_owing(Session& session) noexcept;
  void list_lent(Session& session) noexcept;
  // A peer will answer over the fabric, soon if it can: for some passes that is looked at beside
  // rings, too.
  void hurry() noexcept {
    far_passes_ = std::max(far_passes_, kHurriedPasses);
    far_interval_ = far_in_ = 1;
  }
  // The inner provider has user memory that no stream needs any more: a connection that is dead
  // without knowing it can hold that for ever, for nothing is said there any more. In time its lane
  // is closed.
  void expect_let_go(FrameBuffer& frame) noexcept;
  void retire_overdue() noexcept;
  // What is owed is said at the first pass that finds nothing: by then it could have ridden along.
  void ack_when_idle() noexcept { ack_when_idle_ = true; }
  void due_at(util::Nanoseconds when) noexcept {
    if (when < tick_at_) tick_at_ = when;
  }

  void run_due() noexcept;
  Visit visit_ring(Session& session) noexcept;
  bool far_look_due() noexcept;
  bool look_far() noexcept;
  void run_times(bool busy) noexcept;
  void tick() noexcept;
  void run_lent() noexcept;
  void bury() noexcept;
  void remember_ended(std::uint64_t token) noexcept;

  carrier::InnerProvider& inner_;
  StreamLimits limits_;
  Rings no_rings_;
  Rings& rings_;
  proto::NeighbourCard card_{};
  util::Clock& clock_;
  util::Random& random_;
  Upper& upper_;
  proto::Incarnation incarnation_;
  proto::ProviderName provider_{};
  carrier::FramePool frames_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions_;  // by receive token
  std::unordered_map<proto::Address, Session*> current_;  // by home: Greeting, Open or Closed
  std::deque<std::uint64_t> candidates_;                  // receive tokens, oldest first
  std::vector<std::uint64_t>
      ended_;                    // receive tokens of dead sessions, the newest kEndedRemembered
  std::size_t ended_at_ = 0;     // the oldest of them, once they are as many
  std::vector<Session*> due_;    // have frames to post again or an acknowledgement to say at once
  std::vector<Session*> owing_;  // owe an acknowledgement that may ride along
  std::vector<std::uint64_t> dead_;  // receive tokens of sessions that ended since the last pass
  std::vector<Session*> lent_;       // have eager frames that refer to user memory
  std::vector<Session*> ticking_;
  Readers<Session> readers_;  // read rings
  Session* last_ = nullptr;   // the session that the last frame was for
  bool rts_only_ = false;
  bool ack_when_idle_ = false;
  bool closing_ = false;
  bool looked_far_ = false;
  unsigned passes_ = 0;
  unsigned idle_passes_ = 0;
  static constexpr unsigned kFarPasses = 16;
  static constexpr unsigned kHurriedPasses = 256;
  unsigned far_passes_ = 0;       // that look at the fabric whatever they found before
  unsigned far_interval_ = 1;     // passes
  unsigned far_in_ = 1;           // passes until the next look
  util::Nanoseconds far_at_ = 0;  // of the last one
  util::Nanoseconds now_ = 0;
  util::Nanoseconds tick_at_ = 0;
  util::Nanoseconds let_go_at_ = util::kNever;  // by when the first of the frames left must be
  util::Nanoseconds remind_at_ = util::kNever;
  util::Nanoseconds lent_until_ = 0;
  util::Nanoseconds counted_at_ = 0;  // the frames of every session
  util::Nanoseconds vacated_at_ = 0;  // a ring, for another one
  std::uint64_t bulk_tag_ = 0;
  StreamCounters counters_;
  std::unique_ptr<carrier::FabricCarrier> carrier_;  // last: its end lets go of frames
};

}  // namespace xs::stream
