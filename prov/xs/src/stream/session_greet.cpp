// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a session comes to be, finds another way, and ends.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "stream/session.hpp"
#include "stream/streams.hpp"
#include "util/log.hpp"

namespace xs::stream {

using proto::Kind;
using util::Level;
using util::log;

namespace {
constexpr util::Nanoseconds kHelloAgain = 50 * util::kMillisecond;  // doubles while unanswered
constexpr util::Nanoseconds kHelloLongest = 2 * util::kSecond;
constexpr util::Nanoseconds kRetry = util::kMillisecond;  // the inner provider was not ready
constexpr util::Nanoseconds kRetryLongest = 256 * util::kMillisecond;
constexpr unsigned kPassesLongest = 4096;  // between two tries that do not wait for the clock
}  // namespace

Session::Session(Streams& streams, const proto::Address& home, std::uint64_t nonce) noexcept
    : streams_(streams), home_(home), nonce_(nonce), receive_token_(nonce), peer_answer_(home) {}

Session::~Session() { forget_frames(ECONNRESET); }

proto::Greeting Session::greeting() const noexcept {
  proto::Greeting g;
  g.largest_frame = streams_.limits_.largest_frame;
  g.window = streams_.limits_.window;
  g.lane = our_route_;
  g.sender = streams_.incarnation_;
  g.token = nonce_;
  g.addressee = peer_;
  g.home = streams_.name();
  g.answer = streams_.carrier_->address(route_.lane);
  g.provider = streams_.provider_;
  g.card = streams_.card_;
  return g;
}

void Session::greet(util::Nanoseconds now) noexcept {
  standing_.state = SessionState::kGreeting;
  wanted_ = true;
  heard_at_ = moved_at_ = now;
  trouble_at_ = now;
  streams_.due_at(now);
  streams_.hurry();
}

void Session::want() noexcept {
  wanted_ = true;
  if (standing_.state == SessionState::kCandidate) streams_.due_at(trouble_at_);
}

void Session::send_hello(util::Nanoseconds now) noexcept {
  const util::Nanoseconds pause =
      std::min(kHelloAgain << std::min(unanswered_, 10u), kHelloLongest);
  trouble_at_ = now + kRetry;
  if (route_.lane == 0) {
    auto route = streams_.carrier_->route(carrier::kHomeLane, peer_answer_);
    if (!route) {
      trouble_at_ = now + pause;
      ++unanswered_;
      return;
    }
    route_ = *route;
  }
  if (post_hello(now + pause)) return;
  // Not connected yet, most often; each try may start a connection anew, so tries get rarer.
  trouble_at_ = now + std::min(kRetry << std::min(again_, 11u), kRetryLongest);
  if (again_ == 0 && greets()) try_hello_in(1);
  if (++again_ % 8 == 0) ++unanswered_;
}

// False: it could not leave. again_at: when it is said again without an answer.
bool Session::post_hello(util::Nanoseconds again_at) noexcept {
  // A candidate's token is not known to the peer if its WELCOME was lost: it greets as if first.
  const bool known =
      standing_.state == SessionState::kOpen || standing_.state == SessionState::kClosed;
  if (known && streams_.carrier_->holds(route_.lane, Kind::kHello, send_token_)) {
    asked(streams_.now());  // as a PING that has not left
    ++unanswered_;
    trouble_at_ = again_at;
    return true;
  }
  FrameBuffer* frame = streams_.make_control(Kind::kHello, proto::kGreetingSize);
  if (!frame) return false;
  frame->prefix.token = known ? send_token_ : 0;
  frame->prefix.ack = known ? next_ : 0;
  frame->prefix.seq = path_.cards;
  proto::encode(greeting(), frame->body());
  asked(streams_.now());  // by a way that takes nothing, too: that is no answer either
  if (!streams_.post_control(route_, *frame)) return false;
  hello_in_ = 0;
  doubt_.greet = false;
  ++counters_.greetings;
  ++unanswered_;
  trouble_at_ = again_at;
  return true;
}

// The clock is coarse, and a connection within a machine takes less than its grain.
void Session::try_hello_in(unsigned passes) noexcept {
  hello_pause_ = hello_in_ = passes;
  streams_.list_due(*this);  // until it has left, or tries enough were made
}

void Session::try_hello(util::Nanoseconds now) noexcept {
  if (--hello_in_ > 0 || !greets() || post_hello(now + kHelloAgain)) return;
  if (hello_pause_ < kPassesLongest) try_hello_in(2 * hello_pause_);
}

// Both nonces are known now: tokens, limits and the other incarnation follow from them.
bool Session::pair_with(const proto::Greeting& g) noexcept {
  if (!streams_.rekey(*this, proto::mix_token(nonce_, g.token))) return false;
  peer_ = g.sender;
  peer_nonce_ = g.token;
  peer_card_ = g.card;
  path_.peer_cards = 0;
  send_token_ = proto::mix_token(g.token, nonce_);
  largest_frame_ = std::min(g.largest_frame, streams_.limits_.largest_frame);
  window_ = std::min(g.window, proto::kLargestWindow);
  return true;
}

bool Session::become_candidate(const proto::Greeting& hello, std::uint64_t cards,
                               util::Nanoseconds now) noexcept {
  if (!pair_with(hello)) return false;
  path_.peer_cards = cards;
  standing_.state = SessionState::kCandidate;
  hello_route_ = hello.lane;
  // Only the home address is trusted so far: whoever wrote this HELLO must be able to read there.
  if (!wanted_) trouble_at_ = now + kHelloAgain;
  heard_at_ = moved_at_ = now;
  streams_.hurry();
  return true;
}

// to: home as long as nothing is proven, else where the greeting wants its answer. token: by which
// the peer finds its session: the nonce of its HELLO, or our token towards it if it re-greeted.
void Session::send_welcome(const proto::Address& to, std::uint64_t token,
                           std::uint32_t lane) noexcept {
  FrameBuffer* frame = streams_.make_control(Kind::kWelcome, proto::kGreetingSize);
  if (!frame) return;
  frame->prefix.token = token;
  frame->prefix.ack = next_;
  frame->prefix.seq = path_.peer_cards;
  proto::encode(greeting(), frame->body());
  streams_.send_stray(lane, to, *frame);
}

// cards: the number of our newest card that the peer knows.
void Session::welcome_received(const proto::Greeting& g, std::uint64_t cards,
                               util::Nanoseconds now) noexcept {
  if (g.addressee && g.addressee != streams_.incarnation_) return;  // for an earlier life of ours
  switch (standing_.state) {
    case SessionState::kGreeting:
      if (g.home != home_)
        log(Level::kWarn, "%s answers as %s: use one address per endpoint", home_.text().c_str(),
            g.home.text().c_str());
      [[fallthrough]];
    case SessionState::kCandidate:
      if (!greets()) return;  // an answer to nothing
      // A candidate that greets may find that the peer has given up what it offered: nothing was
      // taken or sent yet, so the new offer is as good.
      if (!pair_with(g)) return end(EPROTO);
      take_route(g.lane, g.answer);
      heard(now);
      again_ = 0;
      streams_.opened(*this);
      if (open() && cards != path_.cards) tell_card(now);
      send_ack(0, 0);  // proves us to the other side, which may have something to send
      return;
    case SessionState::kOpen:
    case SessionState::kClosed:
      // Answer to a re-greeting: what was on the old way may be lost.
      if (g.sender != peer_ || g.token != peer_nonce_) return;
      // An answer to what we said before our newest card is none to that. Of its own cards the peer
      // tells by HELLO: the one in here may be older.
      if (cards == path_.cards) path_.card_news = false;
      doubt_ = {};
      take_route(g.lane, g.answer);
      heard(now);
      again_ = 0;
      pump_at_ = 0;
      rewind(una_);
      pump(now);
      return;
    case SessionState::kDead:
      return;
  }
}

void Session::regreeted(const proto::Greeting& g, std::uint64_t token, std::uint64_t cards,
                        util::Nanoseconds now) noexcept {
  // Whoever has the token has read our WELCOME, and may say nothing but HELLO: of a new card.
  if (token == receive_token_) prove(now);
  if (standing_.state == SessionState::kCandidate) {
    // It greets over another lane because nothing came back: our own way home may be dead as well.
    const bool other = g.lane > hello_route_;
    hello_route_ = std::max(hello_route_, g.lane);
    return send_welcome(home_, g.token,
                        other ? streams_.new_lane_for(carrier::kHomeLane) : carrier::kHomeLane);
  }
  // A repetition of the first HELLO, late or after a lost WELCOME, proves nothing and moves
  // nothing.
  if (token != receive_token_) return send_welcome(home_, g.token, carrier::kHomeLane);
  seen(now);
  take_card(g.card, cards);
  const bool moved = g.lane > peer_route_;
  take_route(g.lane, g.answer);
  // Said again, or to tell of a new card: home may lead nowhere while our own way does.
  send_welcome(g.answer, send_token_, moved ? carrier::kHomeLane : route_.lane);
  if (moved) {
    again_ = 0;
    pump_at_ = 0;
    rewind(una_);
    pump(now);
  }
}

// The peer's process lives elsewhere now, or its hypervisor has forgotten it.
// Greetings may overtake each other.
void Session::take_card(const proto::NeighbourCard& card, std::uint64_t number) noexcept {
  if (number < path_.peer_cards) return;
  path_.peer_cards = number;
  if (card == peer_card_) return;
  const Card before = std::exchange(peer_card_, card);
  streams_.upper_.card_changed(*this, before);
}

void Session::card_changed(util::Nanoseconds now) noexcept {
  ++path_.cards;
  if (open()) tell_card(now);
}

void Session::tell_card(util::Nanoseconds now) noexcept {
  path_.card_news = true;
  path_.card_tries = 0;
  trouble_at_ = now;
  streams_.due_at(now);
  streams_.hurry();
}

void Session::prove(util::Nanoseconds now) noexcept {
  if (standing_.state != SessionState::kCandidate) return;
  heard(now);
  if (route_.lane == 0) take_route(1, home_);
  streams_.opened(*this);
  // It may have opened by our first answer, and takes no card of a later one.
  if (open() && path_.cards != 0) tell_card(now);
}

void Session::take_route(std::uint32_t number, const proto::Address& answer) noexcept {
  if (number <= peer_route_ && route_.lane != 0) return;
  auto route = streams_.carrier_->route(route_.lane ? route_.lane : carrier::kHomeLane, answer);
  if (!route) return;
  peer_route_ = std::max(number, peer_route_);
  if (answer == home_ && peer_answer_ != home_) ++our_route_;
  peer_answer_ = answer;
  follow_address(answer);
  route_ = *route;
  strayed_ = false;
}

// A lane at another address than the peer's name has: its machine has lost that one. What is there
// now may be somebody else, or nobody.
void Session::follow_address(const proto::Address& answer) noexcept {
  const proto::Address before = reach();
  reach_ = answer.same_host(home_) ? proto::Address{} : answer;
  if (reach().same_host(before)) return;
  evidence_.life();  // what was gathered, was gathered elsewhere
  log(Level::kInfo, "%s is found at %s now", home_.text().c_str(), reach().text().c_str());
}

// The peer's kernel answers, yet nothing comes back this way: the connection may be dead without
// knowing it. Alternates between a fresh lane and home, unless home may be stuck as well (fresh);
// the caller greets over it. A process that is merely busy finds the greetings when it looks.
void Session::take_other_path(bool fresh) noexcept {
  const bool from_home = route_.lane == carrier::kHomeLane;
  if (!from_home) left_lane_ = route_.lane;
  const bool to_home = !fresh && !from_home && streams_.carrier_->has_place(carrier::kHomeLane);
  // Never the lane that this session has just left: the peer may hold on to its dead connection.
  const std::uint32_t lane = to_home ? carrier::kHomeLane : streams_.new_lane_for(left_lane_);
  auto route = streams_.carrier_->route(lane, to_home ? reach() : peer_answer_);
  path_left_at_ = unanswered_;
  if (!route) return;
  route_ = *route;
  strayed_ = to_home && peer_answer_ != reach();
  ++our_route_;
}

void Session::leave_lost_address(const proto::Address& place) noexcept {
  if (!open() || place.same_host(streams_.carrier_->address(route_.lane))) return;
  log(Level::kInfo, "%s: this machine has another address now", home_.text().c_str());
  take_other_path();
}

// What goes there gets a number of its own, so that answers to what went elsewhere can be told.
void Session::go_home() noexcept {
  auto route = streams_.carrier_->route(route_.lane ? route_.lane : carrier::kHomeLane, reach());
  if (!route) return;
  route_ = *route;
  peer_answer_ = reach();
  strayed_ = true;
  ++our_route_;
}

void Session::lane_gone(std::uint32_t lane, util::Nanoseconds now) noexcept {
  if (route_.lane != lane || standing_.state == SessionState::kDead) return;
  // Even if it is home that came back: what was posted on its earlier life is gone.
  ++our_route_;
  route_ = {};
  auto route = streams_.carrier_->route(carrier::kHomeLane, peer_answer_);
  if (route) route_ = *route;
  strayed_ = strayed_ && peer_answer_ == reach();
  if (standing_.state != SessionState::kOpen && standing_.state != SessionState::kClosed) return;
  send_hello(now);
  trouble_at_ = now + streams_.limits_.quiet;
  rewind(una_);
  pump(now);
}

void Session::reset_received(const proto::Reset& reset) noexcept {
  if (standing_.state == SessionState::kClosed) return;
  refresh_acks(streams_.now());
  if (reset.sender != peer_ && (peer_answer_ != reach() || reset.route != our_route_)) {
    // Somebody else has the port that a lane of the peer had: only who answers at home would know.
    if (peer_answer_ != reach()) go_home();
    return;
  }
  // Another incarnation can't say what the one before it took of what we sent.
  const bool knows = reset.sender == peer_ || highest_ == 1;
  if (reset.reason == proto::ResetReason::kUnknown && knows && untouched() && !passive_ &&
      standing_.state == SessionState::kOpen && !standing_.goodbye_taken) {
    // The other side forgot a candidate before our first frame came: nothing can have been taken,
    // so begin again.
    nonce_ = streams_.random_.next();
    streams_.rekey(*this, nonce_);
    peer_nonce_ = send_token_ = 0;
    peer_ = {};
    peer_route_ = 0;
    unanswered_ = 0;
    rewind(1);
    forget_ring();
    path_.ring.reset();
    greet(streams_.now());
    return;
  }
  log(Level::kInfo, "%s does not know this session any more", home_.text().c_str());
  streams_.counters_.resets++;
  drain_ring(streams_.now());  // what it wrote before it ended still counts
  end(ECONNRESET);
}

void Session::close_if_done() noexcept {
  if (standing_.state != SessionState::kOpen || !standing_.goodbye_sent ||
      !standing_.goodbye_taken || !drained())
    return;
  standing_.state = SessionState::kClosed;
  streams_.due_at(streams_.now());  // to give the ring back
}

void Session::end(int error) noexcept {
  if (standing_.state == SessionState::kDead) return;
  window_wanted_ = false;
  refresh_acks(streams_.now());
  if (path_.writes) acknowledged(path_.told, streams_.now());
  standing_.state = SessionState::kDead;
  forget_frames(error);
  forget_ring();
  streams_.dead_.push_back(receive_token_);
  if (owner) streams_.upper_.session_ended(*this, error);
  owner = nullptr;
}

void Session::end_soon(int error) noexcept {
  if (doomed_ == 0) doomed_ = error;
  streams_.due_at(streams_.now());
}

void Session::forget_frames(int error) noexcept {
  while (una_ < tail_) drop_slot(una_++, error);
  cursor_ = highest_ = tail_;
}

}  // namespace xs::stream
