// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "core/endpoint.hpp"
#include "util/log.hpp"

namespace xs::core {

using proto::Kind;
using stream::Session;
using State = ConnectionState;

namespace {
constexpr unsigned kSilence = 10;                             // quiet intervals
constexpr util::Nanoseconds kFlushLook = util::kMillisecond;  // while something has to leave
// Several looks at every endpoint of the domain.
constexpr util::Nanoseconds kLastWords = 10 * util::kMillisecond;
}  // namespace

ConnectData::ConnectData(util::Bytes bytes) noexcept : size_(bytes.size()) {
  std::ranges::copy(bytes, bytes_.begin());
}

// ---- What the user wants ----

Session* Connection::begin(State state, const proto::Address& to, util::Bytes data) noexcept {
  Session* session = endpoint().greet(to);
  if (!session) return nullptr;
  session->set_prompt();
  await(*session);
  state_ = state;
  data_ = ConnectData(data);
  deadline_ = now() + endpoint().parts().config.peer_timeout;
  streams().remind(deadline_);
  return session;
}

Status Connection::ask(const proto::Address& listener, util::Bytes data) noexcept {
  util::Random& random = endpoint().parts().random;
  id_ = {.high = random.next(), .low = random.next() | 1};
  if (listener == endpoint().name()) {
    state_ = State::kAsking;
    fail(ECONNREFUSED);
    return Status::kOk;
  }
  asked_ = begin(State::kAsking, listener, data);
  return asked_ ? Status::kOk : Status::kNoMemory;
}

Status Connection::answer(const ConnectionId& id, const proto::Address& client,
                          util::Bytes data) noexcept try {
  if (client == endpoint().name()) return Status::kInvalid;
  id_ = id;
  book_.insert(client);
  session_ = begin(State::kAnswering, client, data);
  if (session_) return Status::kOk;
  book_.remove(kPeer);
  return Status::kNoMemory;
} catch (const std::bad_alloc&) {
  return Status::kNoMemory;
}

void Connection::shut() noexcept {
  if (state_ != State::kConnected) return;
  state_ = State::kParting;
  part_by_ = now() + endpoint().parts().config.linger;
  endpoint().cancel_receives();
  say_goodbye();
}

// A connection parts as any endpoint does: Endpoint::parted().
void Connection::close() noexcept {
  closing_ = true;
  if (state_ == State::kConnected) state_ = State::kParting;
  if (state_ != State::kAsking) return;
  state_ = State::kOver;
  leave_listener();
}

void Connection::received_posted() noexcept {
  if (state_ == State::kOver && cancel_at_ == util::kNever) endpoint().cancel_receives();
}

// ---- Transitions ----

void Connection::await(Session& session) noexcept {
  if (!std::exchange(awaits_, true)) session.await();
}

void Connection::await_done(Session* session) noexcept {
  if (std::exchange(awaits_, false) && session) session->await_done();
}

// Nobody waits until it has heard that: it may never be looked at again.
void Connection::leave_listener() noexcept {
  Session* listener = std::exchange(asked_, nullptr);
  if (!listener) return;
  await_done(listener);
  listener->say_goodbye();
  listener->end_soon(ECONNRESET);
}

void Connection::connect(util::Bytes data) noexcept {
  if (asked_)
    leave_listener();
  else
    await_done(session_);
  state_ = State::kConnected;
  deadline_ = util::kNever;
  streams().remind(now() + kSilence * endpoint().parts().config.quiet);
  if (!closing_) return observer_.connected(data);
  state_ = State::kParting;
}

void Connection::fail(int error, util::Bytes data) noexcept {
  const ConnectData kept(data);
  state_ = State::kOver;
  deadline_ = util::kNever;
  if (asked_) leave_listener();
  await_done(session_);
  if (session_) session_->end_soon(ECONNRESET);
  endpoint().cancel_receives();
  if (!closing_) observer_.failed(error, kept.bytes());
}

// Who reads several connections from one queue hears the last words of all of them before the
// first error: a peer that closed this one may have said them to the others just before.
void Connection::disconnect() noexcept {
  state_ = State::kOver;
  await_done(session_);
  cancel_at_ = now() + kLastWords;
  streams().remind(cancel_at_);
  if (!closing_) observer_.disconnected();
}

// What the peer does not take is given up in the end: it may wait for us in the same way.
void Connection::say_goodbye() noexcept {
  const bool late = !endpoint().flushed(*session_);
  if (!late || now() >= part_by_) session_->say_goodbye();
  if (!session_->goodbye_sent()) return streams().remind(now() + kFlushLook);  // no room for it yet
  if (!late) return;
  gave_up_ = true;
  util::log(util::Level::kWarn, "%s has not taken what was sent before fi_shutdown: given up",
            session_->home().text().c_str());
}

// ---- What comes ----

Gatekeeper::Admission Connection::admits(const Session& session) const noexcept {
  if (&session != session_) return Admission::kLie;
  if (lives()) return Admission::kYes;
  return state_ == State::kOver ? Admission::kDropped : Admission::kLie;
}

bool Connection::told(Session& session, Kind kind, const proto::ConnectFrame& frame) noexcept {
  if (kind == Kind::kAnswer) return answered(session, frame);
  if (kind != Kind::kConnected || &session != session_ || frame.id != id_) return false;
  if (frame.status != 0 || !frame.data.empty()) return false;
  if (state_ == State::kAnswering)
    connect({});
  else if (state_ != State::kOver)
    return false;
  return true;
}

bool Connection::answered(Session& session, const proto::ConnectFrame& frame) noexcept {
  if (!id_ || frame.id != id_ || &session == session_) return false;
  if (state_ != State::kAsking || session_) {
    // It was given up, or there is somebody who knows the id and should not.
    ++late_answers_;
    util::log(util::Level::kInfo, "%s answers a request that is not open any more",
              session.home().text().c_str());
    session.end_soon(ECONNRESET);
    return true;
  }
  const bool is_listener = &session == asked_;
  if (is_listener != (frame.status != 0)) return false;
  if (!is_listener) return accepted(session, frame.data);
  fail(static_cast<int>(frame.status), frame.data);
  return true;
}

bool Connection::accepted(Session& session, util::Bytes data) noexcept try {
  book_.insert(session.home());
  session_ = &session;
  data_ = ConnectData(data);
  may_speak(session);
  return true;
} catch (const std::bad_alloc&) {
  fail(ENOMEM);
  session.end_soon(ENOMEM);
  return true;
}

void Connection::may_speak(Session& session) noexcept {
  if (&session == asked_ && state_ == State::kAsking && !said_)
    said_ = say(session, Kind::kConnect, {.id = id_, .data = data_.bytes()});
  if (&session != session_) return;
  if (state_ == State::kAnswering && !said_)
    said_ = say(session, Kind::kAnswer, {.id = id_, .data = data_.bytes()});
  else if (state_ == State::kAsking && say(session, Kind::kConnected, {.id = id_, .data = {}}))
    connect(ConnectData(data_).bytes());
  else if (state_ == State::kOver && session.goodbye_taken())
    session.say_goodbye();
}

// What has not begun would begin a new session.
void Connection::before_goodbye(Session& session) noexcept {
  if (&session == session_) endpoint().fail_pending(session, ECONNRESET);
}

void Connection::after_goodbye(Session& session) noexcept {
  session.say_goodbye();
  if (&session == asked_) {
    // Who has taken the request may still answer it.
    const bool heard = said_ && session.unacknowledged() <= 1;
    await_done(asked_);
    asked_ = nullptr;
    if (!heard) fail(ECONNREFUSED);
  } else if (&session == session_) {
    if (lives())
      disconnect();
    else if (state_ != State::kOver)
      fail(ECONNRESET);
  }
}

void Connection::ended(Session& session, int error) noexcept {
  if (&session == asked_) {
    asked_ = nullptr;
    awaits_ = false;
    if (state_ == State::kAsking) fail(error == ECONNRESET ? ECONNREFUSED : error);
  } else if (&session == session_) {
    session_ = nullptr;
    if (!asked_) awaits_ = false;
    if (lives())
      disconnect();
    else if (state_ != State::kOver)
      fail(error);
  }
}

// ---- Time ----

void Connection::reminded(util::Nanoseconds now) noexcept {
  if (now >= deadline_) fail(ETIMEDOUT);
  if (deadline_ != util::kNever) streams().remind(deadline_);
  if (now >= cancel_at_) {
    cancel_at_ = util::kNever;
    endpoint().cancel_receives();
  }
  if (cancel_at_ != util::kNever) streams().remind(cancel_at_);
  if (!lives() || !session_) return;
  if (state_ == State::kParting && !closing_ && !session_->goodbye_sent()) say_goodbye();
  keep_alive(now);
}

// Whether who says nothing, and owes nothing, is still there.
void Connection::keep_alive(util::Nanoseconds now) noexcept {
  const util::Nanoseconds quiet = endpoint().parts().config.quiet;
  const util::Nanoseconds heard = session_->heard_at();
  if (awaits_ && heard >= asked_at_) await_done(session_);
  if (!awaits_ && now >= heard + kSilence * quiet) {
    await(*session_);
    asked_at_ = now;
  }
  streams().remind(awaits_ ? now + quiet : heard + kSilence * quiet);
}

}  // namespace xs::core
