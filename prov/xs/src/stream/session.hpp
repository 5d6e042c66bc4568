// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One session: two endpoint incarnations and the acknowledged stream in either direction.
// docs/wire.md sections 4, 5, 8.
//
// Invariants
//  1. una_ <= cursor_ <= tail_, cursor_ <= highest_ <= tail_, tail_ - una_ <= window_.
//  2. Every frame in [una_, tail_) is kept in slots_ or in the ring that is written or was; no
//  other one is in slots_.
//  3. Frames leave in order of their number; a frame whose inner send is under way is not posted
//  again.
//  4. next_ only grows; exactly the frames below next_ have been handed up, each once.
//  5. Nothing sequenced is sent before standing_.state is kOpen, and nothing after the GOODBYE.
//  6. While a ring is written, a frame in [base, cursor_) without a slot stands in the ring, and
//  nothing sequenced goes over the fabric (docs/paths.md, P1 to P9).
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "carrier/fabric_carrier.hpp"
#include "proto/greeting.hpp"
#include "proto/ring_frame.hpp"
#include "stream/after_move.hpp"
#include "stream/evidence.hpp"
#include "stream/owed.hpp"
#include "stream/path.hpp"
#include "stream/session_counters.hpp"
#include "stream/standing.hpp"
#include "stream/upper.hpp"
#include "util/clock.hpp"

namespace xs::stream {

class Streams;

class Session {
 public:
  Session(Streams& streams, const proto::Address& home, std::uint64_t nonce) noexcept;
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // ---- For the layer above ----
  void* owner = nullptr;

  const proto::Address& home() const noexcept { return home_; }
  SessionState state() const noexcept { return standing_.state; }
  bool open() const noexcept { return standing_.state == SessionState::kOpen; }
  bool usual() const noexcept { return standing_.usual(); }
  // Whether claim() would give a frame, memory permitting.
  bool can_send() const noexcept {
    return open() && tail_ - una_ < window_ && !standing_.goodbye_sent;
  }
  // A frame of that kind with room for body bytes to fill; nullptr: no room in the window, not
  // open, or no memory. After nullptr window_opened() will be called. The frame must be committed
  // before anything else is claimed.
  // tail: bytes by reference that the caller will add.
  FrameBuffer* claim(proto::Kind kind, std::size_t body, std::size_t tail = 0) noexcept;
  // Gives the frame its number and sends it as soon as possible. flags: proto::Flag. cookie: see
  // Upper::frame_left and frame_released. True: it has left at once; else it can be given a cookie
  // until the next call.
  bool commit(FrameBuffer& frame, std::uint8_t flags, std::uint64_t cookie) noexcept;
  // Largest body of one frame that both sides take, whatever path it goes.
  std::size_t largest_body() const noexcept {
    return std::min<std::size_t>(largest_frame_ - proto::kPrefixSize, path_.largest);
  }

  // ---- The same without a frame of its own, while a ring is written ----
  bool writes_ring() const noexcept { return path_.writes; }
  bool reads_ring() const noexcept { return path_.reads; }
  // Inside Upper::frame_received, eager_received and payload_received: it came by a ring.
  bool takes_from_ring() const noexcept { return path_.taking; }
  // True: put_in_ring() may fill a frame with a body of that size until commit_in_ring(), which
  // numbers and publishes it. False: as claim() with nullptr, or another path.
  // Who calls it includes stream/ring_writing.hpp.
  bool claim_in_ring(std::size_t body) noexcept { return writes_ring_now() && has_ring_room(body); }
  void put_in_ring(std::size_t offset, util::Bytes bytes) noexcept {
    path_.ring->producer().put(proto::kRingHeadSize + offset, bytes);
  }
  // Copies what the peer has announced straight out of its memory. False: not possible, or not what
  // was announced any more; `to` may have been written.
  bool read_payload(std::uint64_t address, std::span<const struct iovec> to) noexcept;
  // Whether the peer might do so with what we announce now.
  bool may_be_read() const noexcept { return path_.writes && path_.ring->peer_memory(); }
  bool may_read() const noexcept { return path_.reads && path_.ring->peer_memory(); }
  // words: with which the body begins, up to five; else they were put like the rest. True: when all
  // is done, ring_bell() has to be called.
  template <class... Words>
  [[nodiscard]] bool commit_in_ring(proto::Kind kind, std::uint8_t flags, std::size_t body,
                                    Words... words) noexcept;
  // All three at once, while it is usual() and nothing stands in the way. kNo: nothing has
  // happened, and they may do it.
  carrier::Quick put_quickly(proto::Kind kind, std::uint8_t flags, const proto::Envelope& envelope,
                             util::Bytes payload) noexcept;
  void ring_bell() noexcept;
  // For Upper::usual_received: takes up to `most` frames of a ring, as long as the next one is
  // usual, by hand_up(envelope, flags, consumer, offset, size) -> Taken, the payload being those
  // bytes of the consumer's frame. Who calls it includes stream/ring_reading.hpp.
  template <class F>
  unsigned take_usual_frames(unsigned most, F&& hand_up) noexcept;
  bool peer_wants_rts_only() const noexcept { return standing_.peer_rts_only; }
  // Operations that wait for the peer although everything may be acknowledged: they keep PING
  // going.
  void await() noexcept;
  void await_done() noexcept { --waits_; }
  // Who does not listen now is not expected to do so soon: a refused greeting is believed at once.
  void set_prompt() noexcept { prompt_ = true; }
  // It is the peer's to begin again: where nobody knows this session any more, it ends.
  void set_passive() noexcept { passive_ = true; }
  util::Nanoseconds heard_at() const noexcept { return heard_at_; }
  void say_goodbye() noexcept;
  bool goodbye_sent() const noexcept { return standing_.goodbye_sent; }
  bool goodbye_taken() const noexcept { return standing_.goodbye_taken; }
  // Frames were lost or repeated on the way at some time.
  bool troubled() const noexcept {
    return counters_.replayed + counters_.duplicates + counters_.gaps > 0;
  }
  // The peer has taken all of ours that it may need: a GOODBYE that crossed its own it does not,
  // and it may be gone before that comes.
  bool drained() const noexcept {
    return una_ == tail_ ||
           (standing_.goodbye_taken && standing_.goodbye_sent && una_ + 1 == tail_);
  }
  std::uint64_t unacknowledged() const noexcept { return tail_ - una_; }
  // Numbers of the routes in use: ours, told in greetings and CTS, and the newest one heard of the
  // peer.
  std::uint32_t our_route() const noexcept { return our_route_; }
  // 0: we send to its home of our own accord, where its newest route may not end.
  std::uint32_t peer_route() const noexcept { return strayed_ ? 0 : peer_route_; }
  const carrier::Route& route() const noexcept { return route_; }
  const SessionCounters& counters() const noexcept { return counters_; }
  const PathCounters& path_counters() const noexcept { return path_.counters; }
  const MoveTimes& move_times() const noexcept { return move_times_; }
  // A ring was left, and the peer has not answered yet.
  bool leaves_ring() const noexcept { return path_.state == PathState::kLeaving; }
  StreamNumbers numbers() const noexcept { return {una_, cursor_, highest_, tail_}; }
  const Path& path() const noexcept { return path_; }
  // Where the peer's process lives, as it said last.
  const proto::NeighbourCard& peer_card() const noexcept { return peer_card_; }

  // ---- Rings: docs/paths.md. Not from inside an Upper call ----
  // The peer's process is a neighbour; it outlives the session, or neighbour_lost() is called.
  void neighbour_open(Neighbour& link) noexcept;
  void neighbour_lost(LeaveReason reason) noexcept;
  // What could not be mapped or offered yet may be possible now.
  void consider_ring(util::Nanoseconds now) noexcept;
  void leave(LeaveReason reason) noexcept;
  // The peer's VM is about to be moved, or saved, as its card says: it may be silent for long, and
  // StreamLimits::pause_timeout counts. What its kernel says is evidence as ever.
  void set_peer_paused(bool paused) noexcept;
  // The same until it is heard.
  void excuse_silence() noexcept { evidence_.excuse(); }
  // Our card is another one: the peer is told until it answers.
  void card_changed(util::Nanoseconds now) noexcept;
  // Its process or ours was somewhere else, or nowhere, for a while: what leads to it may be stuck,
  // since the kernels wait ever longer before they try again, and so do we. If something is owed it
  // is asked now, and greeted over a fresh lane if it does not answer.
  void doubt_route(util::Nanoseconds now) noexcept;
  // The same, and it is counted.
  void moved(util::Nanoseconds now) noexcept;
  // place: where this machine is. If that is not where we send from: greets from there, now.
  void leave_lost_address(const proto::Address& place) noexcept;
  // Takes what the peer has written, as far as it stands.
  void drain_ring(util::Nanoseconds now) noexcept;
  // Looks at what the peer has taken of our ring.
  void refresh_acks(util::Nanoseconds now) noexcept;

  // ---- For Streams ----
  void greet(util::Nanoseconds now) noexcept;
  // False: what it offers can't be told from another session.
  bool become_candidate(const proto::Greeting& hello, std::uint64_t cards,
                        util::Nanoseconds now) noexcept;
  void send_welcome(const proto::Address& to, std::uint64_t token, std::uint32_t lane) noexcept;
  void welcome_received(const proto::Greeting& welcome, std::uint64_t cards,
                        util::Nanoseconds now) noexcept;
  // The peer's HELLO again: token is the one in its prefix, 0 if it knows none yet.
  void regreeted(const proto::Greeting& hello, std::uint64_t token, std::uint64_t cards,
                 util::Nanoseconds now) noexcept;
  void prove(
      util::Nanoseconds now) noexcept;  // a valid frame came under our token: a candidate opens
  bool take(const proto::FrameView& frame, util::Nanoseconds now) noexcept;  // false: a lie
  void ping_received(const proto::FrameView& frame, const proto::Ping& ping,
                     util::Nanoseconds now) noexcept;
  void reset_received(const proto::Reset& reset) noexcept;
  void frame_left(FrameBuffer& frame) noexcept;
  void let_go(FrameBuffer& frame, int error, util::Nanoseconds now) noexcept;
  void pump(util::Nanoseconds now) noexcept;
  void flush_ack() noexcept;
  // Takes copies of the user's memory that eager frames still refer to, as far as they have left.
  // True: some have not.
  bool keep_copies() noexcept;
  void lane_gone(std::uint32_t lane, util::Nanoseconds now) noexcept;
  void forget_frames(int error) noexcept;
  // Runs what is due; returns when to be called next.
  util::Nanoseconds tick(util::Nanoseconds now) noexcept;
  void end(int error) noexcept;
  // The same in the next pass, for callers whose callers still use the session.
  void end_soon(int error) noexcept;
  bool greets() const noexcept {
    return standing_.state == SessionState::kGreeting ||
           (standing_.state == SessionState::kCandidate && wanted_);
  }
  void want() noexcept;  // the layer above has something to send
  // Our number in greetings, and the one that the peer offered (0: not known yet).
  std::uint64_t nonce() const noexcept { return nonce_; }
  std::uint64_t peer_nonce() const noexcept { return peer_nonce_; }
  // What frames carry, made of both nonces: so no token ever names two incarnations of a peer.
  std::uint64_t receive_token() const noexcept { return receive_token_; }
  std::uint64_t send_token() const noexcept { return send_token_; }
  const proto::Incarnation& peer() const noexcept { return peer_; }
  bool unsent() const noexcept { return cursor_ < tail_; }
  // One that is listed as due: when it has to be run again at the latest; soon: a retry from now.
  util::Nanoseconds retry_at(util::Nanoseconds soon) noexcept;
  bool owes_ack() const noexcept { return owed_.any(); }
  bool untouched() const noexcept {
    return una_ == 1 && next_ == 1 && path_.counters.joined == 0 &&
           (path_.state == PathState::kFabric || path_.state == PathState::kOffered);
  }
  void offer_received(const proto::Offer& offer, util::Nanoseconds now) noexcept;
  void mapped_received(const proto::Mapped& mapped, util::Nanoseconds now) noexcept;
  void left_received(const proto::Left& left, std::uint64_t ack, util::Nanoseconds now) noexcept;
  unsigned visit_ring(util::Nanoseconds now) noexcept;
  // Whether visit_ring() would find nothing and have nothing to do. Only while a ring is read.
  bool ring_idle() const noexcept { return path_.batch == 1 && path_.ring->consumer().idle(); }
  bool arm_ring() noexcept;
  // Somebody waits until the peer has taken what stands in our ring.
  bool waits_for_acks() const noexcept { return path_.writes && path_.acks_wanted && una_ < tail_; }
  // As armed as arm_ring() left it.
  bool ring_settled() const noexcept {
    return !path_.reads || (path_.armed && (path_.acks_armed || !waits_for_acks()));
  }
  bool waits_for_ring() const noexcept { return path_.failed || (path_.writes && window_wanted_); }

 private:
  friend class Streams;

  FrameBuffer*& slot(std::uint64_t seq) noexcept { return slots_[seq & (slots_.size() - 1)]; }
  bool held_below() noexcept { return una_ < tail_ && slot(una_) && slot(una_)->under_way; }
  bool wants_peer() const noexcept { return una_ < tail_ || waits_ > 0; }
  bool pair_with(const proto::Greeting& greeting) noexcept;
  void take_card(const proto::NeighbourCard& card, std::uint64_t number) noexcept;
  void tell_card(util::Nanoseconds now) noexcept;
  void take_route(std::uint32_t number, const proto::Address& answer) noexcept;
  proto::Greeting greeting() const noexcept;
  void send_hello(util::Nanoseconds now) noexcept;
  bool post_hello(util::Nanoseconds again_at) noexcept;
  void try_hello_in(unsigned passes) noexcept;
  void try_hello(util::Nanoseconds now) noexcept;
  bool acknowledged(std::uint64_t ack, util::Nanoseconds now) noexcept;
  bool told_taken(std::uint64_t ack, util::Nanoseconds now) noexcept;
  void drop_slot(std::uint64_t seq, int error) noexcept;
  void keep_copy(std::uint64_t seq) noexcept;
  void rewind(std::uint64_t to) noexcept;
  void refused(util::Nanoseconds now, bool for_good) noexcept;
  // A sign of life; and one that may be an answer to what we asked, which what is repeated by a
  // peer that hears nothing of us is not: our own way to it may be dead.
  void seen(util::Nanoseconds now) noexcept {
    heard_at_ = now;
    if (evidence_.life()) [[unlikely]]
      doubt_route(now);
  }
  void heard(util::Nanoseconds now) noexcept {
    unanswered_ = 0;
    seen(now);
  }
  void answered_echo(std::uint64_t echo, std::uint64_t ack, util::Nanoseconds now) noexcept;
  void gap_reported(std::uint64_t ack, util::Nanoseconds now) noexcept;
  bool send_ack(std::uint8_t flags, std::uint64_t echo) noexcept;
  void send_ping(util::Nanoseconds now) noexcept;
  void consult_evidence(util::Nanoseconds now) noexcept;
  // Where the peer's process is to be found whatever becomes of its lanes.
  const proto::Address& reach() const noexcept { return reach_ ? reach_ : home_; }
  void follow_address(const proto::Address& answer) noexcept;
  void take_other_path(bool fresh = false) noexcept;
  bool route_fails(util::Nanoseconds now) noexcept;
  void leave_route(util::Nanoseconds now) noexcept;
  void asked(util::Nanoseconds now) noexcept;
  // Something that is said by HELLO until that has left, or is answered.
  bool has_news() const noexcept { return path_.card_news || doubt_.greet; }
  void go_home() noexcept;
  bool other_path_due() noexcept;
  bool news_stuck() noexcept;
  bool take_sequenced(const proto::FrameView& frame, util::Nanoseconds now) noexcept;
  bool goodbye_received(util::Bytes body) noexcept;
  void close_if_done() noexcept;
  util::Nanoseconds tick_greeting(util::Nanoseconds now) noexcept;
  util::Nanoseconds tick_open(util::Nanoseconds now) noexcept;

  // Paths
  bool proposes() const noexcept;
  void grow() noexcept;
  void put_off(bool fault) noexcept;
  carrier::RingTerms terms(std::uint64_t epoch) const noexcept;
  std::unique_ptr<RingCarrier> new_ring(std::uint64_t epoch) const noexcept;
  int share_region(RingCarrier& ring, std::uint32_t pages) noexcept;
  void offer_ring(util::Nanoseconds now) noexcept;
  void hold(std::unique_ptr<RingCarrier> ring, PathState state) noexcept;
  void take_up_offer(util::Nanoseconds now) noexcept;
  void await_neighbour() noexcept;
  void answer(util::Nanoseconds now) noexcept;
  void meet_answer(util::Nanoseconds now) noexcept;
  LeaveReason refused_ring(int error, bool told) noexcept;
  void begin_reading() noexcept;
  void joined(util::Nanoseconds now) noexcept;
  void try_to_write(util::Nanoseconds now) noexcept;
  bool stop_using_ring(LeaveReason reason, util::Nanoseconds now) noexcept;
  void stop_writing(util::Nanoseconds now) noexcept;
  bool take_back_frames() noexcept;
  bool keep_ring_frame(std::uint64_t seq) noexcept;
  void finish_leaving(util::Nanoseconds now) noexcept;
  void drop_ring() noexcept;
  void forget_ring() noexcept;
  void repeat_path(util::Nanoseconds now) noexcept;
  util::Nanoseconds tick_path(util::Nanoseconds now) noexcept;
  util::Nanoseconds close_ring(util::Nanoseconds now) noexcept;
  void say_offer() noexcept;
  void say_mapped() noexcept;
  void say_left(std::uint64_t epoch, bool answer, LeaveReason reason) noexcept;
  bool say_leaving() noexcept;
  template <class Body>
  bool say_of_path(proto::Kind kind, const Body& body) noexcept;
  bool writes_ring_now() const noexcept {
    return path_.writes && !standing_.goodbye_sent && open();
  }
  bool find_ring_room(std::size_t body) noexcept;
  bool has_ring_room(std::size_t body) noexcept;  // this and the next two: stream/ring_writing.hpp
  std::uint64_t ring_head(proto::Kind kind, std::uint8_t flags, std::uint64_t seq) const noexcept;
  void put_next(std::size_t body) noexcept;
  void begins_to_wait() noexcept;
  // Nothing waits before the next frame, and the window has room for it.
  bool writes_next() const noexcept {
    return cursor_ == tail_ && !path_.failed && tail_ - una_ < window_;
  }
  void pump_ring() noexcept;
  void stands_in_ring(FrameBuffer& frame) noexcept;
  void found_in_ring(util::Nanoseconds now) noexcept;
  void first_in_ring(std::uint32_t number) noexcept;
  void back_after_move(const char* way, bool& awaited, util::Nanoseconds& longest,
                       util::Nanoseconds now) const noexcept;
  Taken hand_up(const proto::FrameView& frame) noexcept;
  bool take_ring_frame() noexcept;
  template <class F>
  Taken take_usual_frame(RingConsumer& consumer, F&& hand_up) noexcept;
  Taken hand_up_payload(const proto::RingHead& head, const std::byte* bytes,
                        std::size_t size) noexcept;
  Taken hand_up_whole(const proto::RingHead& head, std::size_t size) noexcept;
  bool hand_up_ring_frame(const proto::RingHead& head, const std::byte* bytes,
                          std::size_t size) noexcept;
  void disarm_ring() noexcept;
  void run_path(util::Nanoseconds now) noexcept;

  Streams& streams_;
  proto::Address home_;
  proto::Address reach_;  // a lane of the peer's, since its machine has lost the address of home_
  proto::Incarnation peer_;
  std::uint64_t nonce_;
  std::uint64_t peer_nonce_ = 0;
  std::uint64_t receive_token_;  // the nonce itself until the peer's is known
  std::uint64_t send_token_ = 0;
  Standing standing_;
  bool window_wanted_ = false;
  bool due_listed_ = false;  // on the lists of Streams
  bool owing_listed_ = false;
  bool lent_listed_ = false;
  bool reader_listed_ = false;
  int doomed_ = 0;  // why it ends in the next pass; 0: it does not
  std::uint32_t largest_frame_ = 0;
  std::uint32_t window_ = 0;

  carrier::Route route_;
  std::uint32_t our_route_ = 1;    // grows each time we greet over another lane
  std::uint32_t hello_route_ = 0;  // a candidate: newest number in its HELLOs
  std::uint32_t peer_route_ = 0;   // newest number heard of the peer
  proto::Address peer_answer_;     // where that route ends
  bool strayed_ = false;           // ours goes to the peer's home instead
  std::uint32_t left_lane_ = 0;    // the last one besides home that led nowhere
  bool wanted_ = false;            // a candidate that we have something to send to: it greets too
  unsigned hello_in_ = 0;          // passes until a HELLO that could not leave is tried; 0: no try
  unsigned hello_pause_ = 0;       // passes between the last two such tries

  // Sending
  std::vector<FrameBuffer*> slots_;  // a power of two >= window_
  std::uint64_t una_ = 1;            // first unacknowledged number
  std::uint64_t cursor_ = 1;         // next to post
  std::uint64_t tail_ = 1;           // next to be given
  std::uint64_t highest_ = 1;        // first never posted
  unsigned again_ = 0;               // posts refused in a row
  util::Nanoseconds pump_at_ = 0;    // not before; refused posts back off
  GapLimit gap_replays_;

  // Receiving
  std::uint64_t next_ = 1;
  Owed owed_;

  // Quiet and evidence
  std::uint32_t waits_ = 0;
  util::Nanoseconds moved_at_ = 0;  // una_ advanced, or a wait began
  util::Nanoseconds heard_at_ = 0;
  util::Nanoseconds trouble_at_ = 0;  // next PING or HELLO
  std::uint32_t unanswered_ = 0;      // PINGs or HELLOs since the peer was last heard
  std::uint32_t path_left_at_ = 0;    // unanswered_ when another lane was last tried
  Doubt doubt_;                       // of the route
  RoutesLeft routes_left_;
  bool suspected_ = false;            // the log was told of greetings without an answer
  bool ping_open_ = false;            // a PING may still cause its one replay
  unsigned held_up_ = 0;              // PINGs answered while our first frame could not be replayed
  Evidence evidence_;
  bool peer_paused_ = false;
  bool prompt_ = false;
  bool passive_ = false;
  SessionCounters counters_;
  MoveTimes move_times_;
  Awaited awaited_;
  Path path_;
  proto::NeighbourCard peer_card_{};
};

}  // namespace xs::stream
