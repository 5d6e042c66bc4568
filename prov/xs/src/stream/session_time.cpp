// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a session does when nothing happens: PING, evidence, another path.
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
constexpr unsigned kProbeAfter = 2;        // unanswered tries before the peer's kernel is asked
constexpr unsigned kOtherPathAfter = 4;    // ... before another lane is tried
constexpr unsigned kOtherPathForNews = 8;  // tries to tell it beside a ring
constexpr unsigned kHeldUpLongest =
    4;  // answered PINGs until a lane that holds our frame is closed
constexpr unsigned kLongestDoubling = 8;
// Longer than a peer that is at it takes to answer, wherever it is; twice that for each route that
// was left in vain.
constexpr util::Nanoseconds kDoubtLongest = 100 * util::kMillisecond;
// In quiet intervals: a greeting without an answer is worth a line; a refused one is believed (the
// processes of a job may start in any order).
constexpr unsigned kSuspicionAfter = 25;
constexpr unsigned kGreetingPatience = 50;
constexpr util::Nanoseconds kLongestPause = 30 * util::kSecond;
}  // namespace

void Session::await() noexcept {
  if (waits_++ == 0 && una_ == tail_) moved_at_ = streams_.now();
  streams_.due_at(streams_.now() + streams_.limits_.quiet);
}

util::Nanoseconds Session::tick(util::Nanoseconds now) noexcept {
  if (doomed_ != 0) end(doomed_);
  switch (standing_.state) {
    case SessionState::kGreeting:
      return tick_greeting(now);
    case SessionState::kCandidate:
      return wanted_ ? tick_greeting(now) : util::kNever;
    case SessionState::kOpen:
      return std::min(tick_path(now), tick_open(now));
    case SessionState::kClosed:
      return tick_path(now);
    default:
      return util::kNever;
  }
}

// At every 4th unanswered try; tries themselves get rarer.
bool Session::other_path_due() noexcept {
  if (unanswered_ < path_left_at_) path_left_at_ = 0;  // the peer has answered since
  const bool alive = evidence_.alive() || heard_at_ > moved_at_;
  return unanswered_ >= path_left_at_ + kOtherPathAfter && alive;
}

// A ring that goes on says that the peer is well, and nothing of the lane: beside a ring that has
// little to carry, and what it carries is answered soon.
bool Session::news_stuck() noexcept {
  return path_.card_news && path_.writes && path_.reads &&
         ++path_.card_tries % kOtherPathForNews == 0;
}

util::Nanoseconds Session::tick_greeting(util::Nanoseconds now) noexcept {
  if (now >= trouble_at_) {
    if (other_path_due()) take_other_path();
    send_hello(now);
  }
  const util::Nanoseconds alive = evidence_.alive_since();
  if (!suspected_ && alive != 0 && now - alive >= kSuspicionAfter * streams_.limits_.quiet) {
    suspected_ = true;
    log(Level::kWarn,
        "%s accepts connections but answers no greeting: a busy process, or no xs endpoint, or "
        "another inner provider (FI_XS_FALLBACK)",
        home_.text().c_str());
  }
  // Also when not even a HELLO could be posted for a while: a refused port shows so.
  const bool look = unanswered_ >= kProbeAfter || now - heard_at_ >= 2 * streams_.limits_.quiet;
  if (look) consult_evidence(now);
  if (standing_.state == SessionState::kDead) return util::kNever;
  return look ? std::min(trouble_at_, now + streams_.limits_.quiet / 4) : trouble_at_;
}

util::Nanoseconds Session::tick_open(util::Nanoseconds now) noexcept {
  if (path_.writes) refresh_acks(now);
  if (has_news() && now >= trouble_at_) {
    // Instead of PING until it is answered: it, too, may need another lane.
    if (other_path_due() || news_stuck()) take_other_path();
    send_hello(now);
  }
  if (!open()) return util::kNever;
  if (!wants_peer()) return path_.card_news ? trouble_at_ : util::kNever;
  if (route_fails(now)) leave_route(now);
  const util::Nanoseconds greeting = has_news() ? trouble_at_ : util::kNever;
  // Unacknowledged frames: quiet since the acknowledgement moved, whatever was heard. Waits: quiet
  // since anything was heard.
  const util::Nanoseconds since = una_ < tail_ ? moved_at_ : std::max(moved_at_, heard_at_);
  const util::Nanoseconds first = since + streams_.limits_.quiet;
  if (now < first) return std::min(first, greeting);
  if (held_up_ >= kHeldUpLongest && !path_.writes && held_below()) {
    // The peer answers, but the inner provider keeps a frame on a way that leads nowhere.
    held_up_ = 0;
    streams_.carrier_->retire(slot(una_)->lane);
  }
  if (now >= trouble_at_) {
    send_ping(now);
    if (other_path_due()) {
      take_other_path();
      const util::Nanoseconds next_ping = trouble_at_;
      send_hello(now);
      trouble_at_ = next_ping;
    }
  }
  const bool look = unanswered_ >= kProbeAfter || now >= doubt_.answer_by;
  if (look) consult_evidence(now);
  if (standing_.state == SessionState::kDead) return util::kNever;
  const bool asked = now < doubt_.answer_by;
  const util::Nanoseconds next = asked ? std::min(trouble_at_, doubt_.answer_by) : trouble_at_;
  return look ? std::min(next, now + streams_.limits_.quiet / 4) : next;
}

void Session::asked(util::Nanoseconds now) noexcept {
  if (!doubt_.is || doubt_.answer_by != util::kNever) return;
  doubt_.answer_by =
      now + (std::min(streams_.limits_.quiet, kDoubtLongest) << routes_left_.in_vain(now));
}

void Session::doubt_route(util::Nanoseconds now) noexcept {
  if (!open()) return;
  doubt_ = {.is = true, .since = now, .from = highest_};
  ping_open_ = false;
  unanswered_ = path_left_at_ = 0;
  trouble_at_ = now;
  if (wants_peer()) streams_.due_at(now);  // else what is sent from now on will show
}

void Session::moved(util::Nanoseconds now) noexcept {
  doubt_route(now);
  if (!open()) return;
  ++move_times_.moves;
  awaited_.since = now;
  awaited_.fabric = awaited_.ring = true;
}

// The first frame after a move has come that way.
void Session::back_after_move(const char* way, bool& awaited, util::Nanoseconds& longest,
                              util::Nanoseconds now) const noexcept {
  awaited = false;
  const util::Nanoseconds time = now - awaited_.since;
  longest = std::max(longest, time);
  log(Level::kInfo, "%s: the first frame by the %s, %llu ms after a move", home_.text().c_str(),
      way, static_cast<unsigned long long>(time / util::kMillisecond));
}

// Asked since somebody has moved, and not answered, though the peer is there.
bool Session::route_fails(util::Nanoseconds now) noexcept {
  if (!doubt_.is) return false;
  if (una_ > doubt_.from) {
    doubt_ = {};
    return false;
  }
  return now >= doubt_.answer_by && (evidence_.alive() || heard_at_ >= doubt_.since);
}

// Once for each doubt: a lane costs a connection.
void Session::leave_route(util::Nanoseconds now) noexcept {
  log(Level::kInfo, "%s does not answer the old way since a move: another lane",
      home_.text().c_str());
  take_other_path(true);
  doubt_ = {.greet = true};
  routes_left_.add(now);
  again_ = 0;
  pump_at_ = 0;
  send_hello(now);
}

void Session::send_ping(util::Nanoseconds now) noexcept {
  const util::Nanoseconds quiet = streams_.limits_.quiet;
  trouble_at_ = now + std::min(quiet << std::min(unanswered_, kLongestDoubling),
                               std::max(kLongestPause, quiet));
  ++unanswered_;
  if (route_.lane == 0) {
    lane_gone(0, now);
    return;
  }
  // One that has not left yet asks the same. Behind it, where a ring goes on beside a connection
  // that is dead without knowing it, more and more would be held.
  if (streams_.carrier_->holds(route_.lane, Kind::kPing, send_token_)) return asked(now);
  FrameBuffer* frame = streams_.make_control(Kind::kPing, proto::kPingSize);
  if (!frame) return;
  frame->prefix.token = send_token_;
  // In a ring, after going back, some are still to be put.
  frame->prefix.seq = path_.writes ? path_.mark(cursor_) : highest_;
  frame->prefix.ack = next_;
  const proto::Greeting g = greeting();
  proto::encode(proto::Ping{g.sender, g.home, g.lane, g.answer}, frame->body());
  ++counters_.pings;
  asked(now);
  if (streams_.post_control(route_, *frame)) ping_open_ = true;
}

void Session::set_peer_paused(bool paused) noexcept {
  if (paused == std::exchange(peer_paused_, paused)) return;
  log(Level::kInfo, "%s is %s", home_.text().c_str(),
      paused ? "about to be moved: its silence is excused" : "not about to be moved any more");
}

// The home address is asked, not a lane, for lanes come and go; unless the peer has no other.
void Session::consult_evidence(util::Nanoseconds now) noexcept {
  evidence_.look(streams_.inner_, reach(), now, streams_.limits_.quiet);
  const bool excused = peer_paused_ || evidence_.excused();
  const StreamLimits& limits = streams_.limits_;
  const Verdict verdict =
      evidence_.judge(now, excused ? limits.pause_timeout : limits.peer_timeout);
  if (evidence_.take_return()) doubt_route(now);
  if (verdict == Verdict::kUnknown) return;
  drain_ring(now);  // the pages outlive their writer
  if (standing_.state == SessionState::kDead) return;
  const bool refused = verdict == Verdict::kRefused;
  const unsigned patience = prompt_ ? 0 : kGreetingPatience;
  if (refused && greets() && now - moved_at_ < patience * streams_.limits_.quiet) return;
  if (standing_.goodbye_taken && refused) {
    // It had said goodbye and is gone: what it did not acknowledge it did not want.
    log(Level::kInfo, "%s has parted", home_.text().c_str());
  } else {
    // Who only listened has lost nothing.
    log(passive_ ? Level::kInfo : Level::kWarn, "peer %s is dead: %s", home_.text().c_str(),
        refused ? "its port refuses connections" : "not even its host answers");
  }
  streams_.counters_.dead++;
  end(refused ? (standing_.state == SessionState::kOpen ? ECONNRESET : ECONNREFUSED)
              : EHOSTUNREACH);
}

}  // namespace xs::stream
