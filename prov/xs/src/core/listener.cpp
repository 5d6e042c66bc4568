// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/listener.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "core/endpoint.hpp"
#include "util/log.hpp"

namespace xs::core {

using proto::Kind;
using stream::Session;

ConnectRequest* Listener::find(std::uint64_t number) noexcept {
  for (const auto& request : requests_)
    if (request->number == number && !request->refused) return request.get();
  return nullptr;
}

ConnectRequest* Listener::of(const Session& session) noexcept {
  for (const auto& request : requests_)
    if (request->session == &session) return request.get();
  return nullptr;
}

void Listener::forget(const ConnectRequest& request) noexcept {
  std::erase_if(requests_, [&](const auto& each) { return each.get() == &request; });
}

// A session has one at a time.
bool Listener::told(Session& session, Kind kind, const proto::ConnectFrame& frame) noexcept {
  if (kind != Kind::kConnect || frame.status != 0 || of(session)) return false;
  const bool room = listens_ && requests_.size() < backlog_;
  ConnectRequest* request = room ? make(session, frame) : nullptr;
  if (request && observer_.requested(*request)) return true;
  if (counters_.refused++ == 0)
    util::log(util::Level::kWarn, "%s refuses to be connected with %s: %s (counted from now on)",
              endpoint().name().text().c_str(), session.home().text().c_str(),
              !listens_ ? "nobody listens"
              : room    ? "no memory"
                        : "the backlog is full");
  if (request) {
    refuse(*request, {});
  } else if (!say(session, Kind::kAnswer, {.id = frame.id, .status = ECONNREFUSED, .data = {}})) {
    session.end_soon(ECONNREFUSED);
  }
  return true;
}

ConnectRequest* Listener::make(Session& session, const proto::ConnectFrame& frame) noexcept try {
  requests_.push_back(
      std::make_unique<ConnectRequest>(ConnectRequest{.number = last_number_ + 1,
                                                      .id = frame.id,
                                                      .client = session.home(),
                                                      .data = ConnectData(frame.data),
                                                      .session = &session}));
  ++last_number_;
  return requests_.back().get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

void Listener::refuse(ConnectRequest& request, util::Bytes data) noexcept {
  request.refused = true;
  request.data = ConnectData(data);
  try_to_refuse(request);
}

// True: it is gone.
bool Listener::try_to_refuse(ConnectRequest& request) noexcept {
  if (request.session &&
      !say(*request.session, Kind::kAnswer,
           {.id = request.id, .status = ECONNREFUSED, .data = request.data.bytes()}))
    return false;
  forget(request);
  return true;
}

void Listener::close() noexcept {
  listens_ = false;
  for (std::size_t i = 0; i < requests_.size();) {
    ConnectRequest& request = *requests_[i];
    if (!request.taken && !request.refused) {
      request.refused = true;
      request.data = {};
      if (try_to_refuse(request)) continue;
    }
    ++i;
  }
  // Others have been answered, by whoever accepted them. Most are gone: nobody waits for them.
  streams().for_each([this](Session& session) {
    if (of(session) || !session.open() || session.unacknowledged() > 0) return;
    session.say_goodbye();
    session.end_soon(ECONNRESET);
  });
}

// Asked after until it ends: a client may leave at any time, even before it has asked, and nobody
// waits for his GOODBYE, which may be lost. Never begun again: somebody else may have his port
// then.
void Listener::opened(Session& session) noexcept {
  session.set_passive();
  session.await();
}

void Listener::may_speak(Session& session) noexcept {
  ConnectRequest* request = of(session);
  if (request && request->refused) try_to_refuse(*request);
}

void Listener::client_left(const Session& session) noexcept {
  ConnectRequest* request = of(session);
  if (!request) return;
  request->session = nullptr;
  if (request->refused) forget(*request);
}

// It does not wait for an answer.
void Listener::after_goodbye(Session& session) noexcept {
  client_left(session);
  session.end_soon(ECONNRESET);
}

// Who listens for long would otherwise know ever more clients.
void Listener::ended(Session& session, int) noexcept try {
  client_left(session);
  left_.push_back(session.home());
  streams().remind(now());
} catch (const std::bad_alloc&) {
  // It stays known; nothing else is lost.
}

void Listener::reminded(util::Nanoseconds) noexcept {
  for (const proto::Address& home : left_) endpoint().peers().forget(home);
  left_.clear();
}

}  // namespace xs::core
