// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "greeting_model.hpp"

#include <algorithm>

#include "greeting_state.hpp"

namespace xs::model {
namespace {

using Model = GreetingModel;
using Kind = Model::Kind;
using Phase = Model::Phase;
using Broken = Model::Broken;

constexpr std::uint8_t kIncarnationA = 1;
constexpr std::uint8_t kIncarnationB = 2;

// A name for what a side sends: 0 and 1 are A's, 2 and 3 B's, 4 and 5 those of B's
// second incarnation.
std::uint8_t message_name(const Model::Endpoint& end) {
  return static_cast<std::uint8_t>((end.incarnation - 1) * 2 + end.wanted - 1);
}

// A frame's number has the position in the stream below and the message's name, which the
// protocol must not look at, above.
constexpr std::uint8_t kNameShift = 4;
std::uint8_t frame_number(std::uint8_t position, std::uint8_t name) {
  return static_cast<std::uint8_t>(name << kNameShift | position);
}
std::uint8_t position_of(const Model::Message& frame) {
  return frame.number & ((1 << kNameShift) - 1);
}
std::uint8_t name_of(const Model::Message& frame) { return frame.number >> kNameShift; }

Model::Message framed(Kind kind, const Model::Endpoint& end, std::uint8_t number) {
  return {kind, end.session.theirs, end.session.mine, end.incarnation, number};
}

bool is_unused(const Model::Session& session) { return session.una == 0 && session.next == 0; }

// Whether the death of the session at `side` is explained by what really happened.
bool is_explained(const Model::State& state, std::size_t side, std::uint8_t timeouts_at_start) {
  const std::uint8_t peer = state.ends[side].session.peer;
  return state.timeouts != timeouts_at_start || peer != state.ends[1 - side].incarnation;
}

}  // namespace

Model::State GreetingModel::initial() const {
  State state{};
  state.ends[kA].incarnation = kIncarnationA;
  state.ends[kA].wanted = world_.sends_a;
  state.ends[kB].incarnation = kIncarnationB;
  state.ends[kB].wanted = world_.sends_b;
  state.restarts = world_.restarts;
  state.timeouts = world_.timeouts;
  state.forgeries = world_.forgeries;
  state.forgets = world_.forgets;
  return state;
}

bool GreetingModel::complete(const State& state) const {
  return std::all_of(std::begin(state.ends), std::end(state.ends),
                     [](const Endpoint& end) { return end.wanted == 0 && !end.sending; });
}

const char* GreetingModel::broken(const State& state) {
  switch (state.broken) {
    case Broken::kNone:
      return "";
    case Broken::kTwice:
      return "a message was taken twice";
    case Broken::kLost:
      return "a message was acknowledged but never taken";
    case Broken::kFalseDeath:
      return "a living peer was taken for dead";
    case Broken::kMixed:
      return "a frame was taken for one of another incarnation";
    case Broken::kForged:
      return "a session opened towards a forger";
    case Broken::kTooSmall:
      return "the model has too few tokens";
  }
  return "unknown";
}

void GreetingModel::steps(const State& state, Steps<State>& out) const {
  for (const std::size_t side : {kA, kB}) {
    send_steps(state, side, out);
    deliveries(state, side, out);
  }
  faults(state, out);
}

// The session of `side` dies. What it was sending ends in error.
void GreetingModel::end(State& state, std::size_t side) const {
  Endpoint& end = state.ends[side];
  if (end.sending && !is_explained(state, side, world_.timeouts))
    state.broken = Broken::kFalseDeath;
  if (end.ended.full()) end.ended.pop();
  end.ended.push({end.session.mine, end.session.theirs});
  end.session = {};
  end.sending = false;
}

void GreetingModel::begin(State& state, std::size_t side) const {
  Endpoint& end = state.ends[side];
  end.message = message_name(end);
  --end.wanted;
  end.sending = true;
  if (end.session.phase != Phase::kNone) return;
  if (!end.candidates.empty()) {
    if (!rules_.candidate_greets) return;  // it waits for the peer
    end.session = end.candidates.take(end.candidates.size - 1U);
  } else {
    end.session.mine = fresh_token(state, side);
  }
  end.session.phase = Phase::kGreeting;
}

void GreetingModel::send_steps(const State& state, std::size_t side, Steps<State>& out) const {
  const Endpoint& end = state.ends[side];
  const std::size_t other = 1 - side;
  auto posts = [&](const char* a, const char* b, const Message& message) {
    if (state.bags[other].full() || state.bags[other].holds(message)) return;
    State next = state;
    post(next, other, message);
    normalise(next);
    out.protocol(side == kA ? a : b, next);
  };
  if (end.wanted != 0 && !end.sending) {
    State next = state;
    begin(next, side);
    out.protocol(side == kA ? "A wants to send" : "B wants to send", next);
  }
  if (!end.sending) return;
  if (end.session.phase == Phase::kGreeting) {
    posts("A sends HELLO", "B sends HELLO",
          {Kind::kHello, 0, end.session.mine, end.incarnation, end.took_from});
  }
  if (end.session.phase == Phase::kOpen) {
    posts("A sends a frame", "B sends a frame",
          framed(Kind::kFrame, end, frame_number(end.session.una, end.message)));
    posts("A sends PING", "B sends PING", framed(Kind::kPing, end, 0));
  }
}

void GreetingModel::deliveries(const State& state, std::size_t side, Steps<State>& out) const {
  static constexpr const char* kNames[2][7] = {
      {"", "A reads HELLO", "A reads WELCOME", "A reads a frame", "A reads PING", "A reads ACK",
       "A reads RESET"},
      {"", "B reads HELLO", "B reads WELCOME", "B reads a frame", "B reads PING", "B reads ACK",
       "B reads RESET"}};
  for (std::size_t i = 0; i < state.bags[side].size; ++i) {
    State next = state;
    const Message message = next.bags[side].take(i);
    State lost = next;
    take(next, side, message);
    normalise(next);
    out.protocol(kNames[side][static_cast<std::size_t>(message.kind)], next);
    normalise(lost);
    out.fault("a message is lost", lost);
  }
}

void GreetingModel::faults(const State& state, Steps<State>& out) const {
  auto happens = [&](const char* label, auto change) {
    State next = state;
    change(next);
    normalise(next);
    out.fault(label, next);
  };
  if (state.restarts != 0) {
    happens("B dies and restarts", [&](State& next) {
      --next.restarts;
      const std::uint8_t incarnation = static_cast<std::uint8_t>(next.ends[kB].incarnation + 1);
      next.ends[kB] = {};
      next.ends[kB].incarnation = incarnation;
      next.ends[kB].wanted = world_.sends_b;
    });
  }
  if (state.timeouts != 0 && state.ends[kA].session.phase == Phase::kOpen) {
    happens("A takes B for dead", [&](State& next) {
      --next.timeouts;
      end(next, kA);
    });
  }
  if (state.forgeries != 0 && !state.bags[kA].full()) {
    happens("somebody forges a HELLO of B", [&](State& next) {
      --next.forgeries;
      post(next, kA, {Kind::kHello, 0, kForgedToken, kForger, 0});
    });
  }
  if (state.forgets != 0 && !state.ends[kB].candidates.empty()) {
    happens("B forgets its candidate", [&](State& next) {
      --next.forgets;
      next.ends[kB].candidates.pop();
    });
  }
}

void GreetingModel::take(State& state, std::size_t side, const Message& message) const {
  switch (message.kind) {
    case Kind::kNone:
      break;
    case Kind::kHello:
      take_hello(state, side, message);
      break;
    case Kind::kWelcome:
      take_welcome(state, side, message);
      break;
    case Kind::kFrame:
    case Kind::kPing:
    case Kind::kAck:
      take_framed(state, side, message);
      break;
    case Kind::kReset:
      take_reset(state, side, message);
      break;
  }
  const Session& session = state.ends[side].session;
  if (session.phase == Phase::kOpen && session.peer == kForger) state.broken = Broken::kForged;
}

void GreetingModel::welcome(State& state, std::size_t side, std::uint8_t mine,
                            std::uint8_t offered) const {
  post(state, 1 - side, {Kind::kWelcome, offered, mine, state.ends[side].incarnation, 0});
}

void GreetingModel::make_candidate(State& state, std::size_t side, const Message& hello) const {
  auto& candidates = state.ends[side].candidates;
  if (candidates.full()) candidates.pop();  // the oldest is forgotten
  const Session candidate{Phase::kCandidate,
                          fresh_token(state, side),
                          hello.from,
                          hello.sender,
                          0,
                          0,
                          hello.number == state.ends[side].incarnation};
  welcome(state, side, candidate.mine, hello.from);
  if (rules_.candidate_first) {
    candidates.push(candidate);
  } else {
    promote(state, side, candidate);
  }
}

// The candidate becomes Open and takes the place of the session.
void GreetingModel::promote(State& state, std::size_t side, const Session& candidate) const {
  Session& session = state.ends[side].session;
  const bool moves = rules_.unused_lives_on && is_unused(session) && !candidate.took;
  if (session.phase == Phase::kOpen && !moves) end(state, side);
  session = candidate;
  session.phase = Phase::kOpen;
  session.took = false;
}

void GreetingModel::take_hello(State& state, std::size_t side, const Message& hello) const {
  Endpoint& end = state.ends[side];
  Session& session = end.session;
  for (std::size_t i = 0; i < end.candidates.size; ++i) {
    if (end.candidates.items[i].theirs == hello.from) {
      return welcome(state, side, end.candidates.items[i].mine, hello.from);
    }
  }
  if (session.phase == Phase::kGreeting) {
    if (!rules_.hello_proves_nothing) {
      session = {Phase::kOpen, session.mine, hello.from, hello.sender, 0, 0, false};
    }
    return welcome(state, side, session.mine, hello.from);
  }
  const bool same_peer = session.peer == hello.sender && !rules_.other_token_other_session;
  if (session.phase == Phase::kOpen && (session.theirs == hello.from || same_peer)) {
    return welcome(state, side, session.mine, hello.from);
  }
  make_candidate(state, side, hello);
}

void GreetingModel::take_welcome(State& state, std::size_t side, const Message& welcome) const {
  Endpoint& end = state.ends[side];
  Session& session = end.session;
  if (session.phase == Phase::kNone || welcome.token != session.mine) return;
  if (session.phase == Phase::kGreeting) {
    session = {Phase::kOpen, session.mine, welcome.from, welcome.sender, 0, 0, false};
    if (rules_.older_candidates_go) end.candidates = {};
    post(state, 1 - side, framed(Kind::kAck, end, 0));
  } else if (welcome.sender != session.peer && !rules_.welcome_in_open_is_ignored) {
    this->end(state, side);
  }
}

bool GreetingModel::names(const Session& session, const Message& message) const {
  return session.theirs != 0 && session.mine == message.token &&
         (!rules_.token_of_both || session.theirs == message.from);
}

void GreetingModel::take_framed(State& state, std::size_t side, const Message& message) const {
  Endpoint& end = state.ends[side];
  for (std::size_t i = 0; i < end.candidates.size; ++i) {
    if (!names(end.candidates.items[i], message)) continue;
    promote(state, side, end.candidates.take(i));
    if (rules_.older_candidates_go) end.candidates.drop(i);
    break;
  }
  if (names(end.session, message) && end.session.phase == Phase::kGreeting) {
    end.session.phase = Phase::kOpen;
    if (rules_.older_candidates_go) end.candidates = {};
  }
  if (!names(end.session, message)) {
    if (message.kind == Kind::kPing) refuse(state, side, message);
    return;
  }
  if (message.kind == Kind::kFrame) take_frame(state, side, message);
  if (message.kind == Kind::kAck) return take_ack(state, side, message);
  post(state, 1 - side, framed(Kind::kAck, end, end.session.next));
}

void GreetingModel::take_frame(State& state, std::size_t side, const Message& frame) const {
  Session& session = state.ends[side].session;
  std::uint8_t& taken = state.taken[state.ends[side].incarnation];
  const std::uint8_t name = static_cast<std::uint8_t>(1U << name_of(frame));
  if (position_of(frame) == session.next) {
    if ((taken & name) != 0) state.broken = Broken::kTwice;
    if (session.peer != frame.sender) state.broken = Broken::kMixed;
    taken |= name;
    state.ends[side].took_from = frame.sender;
    ++session.next;
  } else if (position_of(frame) < session.next && (taken & name) == 0) {
    state.broken = Broken::kLost;
  }
}

void GreetingModel::take_ack(State& state, std::size_t side, const Message& ack) const {
  Endpoint& end = state.ends[side];
  if (!end.sending || ack.number != end.session.una + 1) return;
  ++end.session.una;
  end.sending = false;
  const std::uint8_t name = static_cast<std::uint8_t>(1U << end.message);
  const bool taken = std::any_of(std::begin(state.taken), std::end(state.taken),
                                 [&](std::uint8_t set) { return (set & name) != 0; });
  if (!taken) state.broken = Broken::kLost;
}

// A PING under a token that names no session here.
void GreetingModel::refuse(State& state, std::size_t side, const Message& ping) const {
  const Endpoint& end = state.ends[side];
  if (!rules_.ping_is_reset) return;
  if (end.session.phase == Phase::kGreeting && end.session.mine == ping.token) return;
  const bool ended =
      std::any_of(end.ended.items, end.ended.items + end.ended.size, [&](const Tokens& tokens) {
        return tokens.mine == ping.token && (!rules_.token_of_both || tokens.theirs == ping.from);
      });
  post(state, 1 - side,
       {Kind::kReset, ping.token, ping.from, end.incarnation, static_cast<std::uint8_t>(ended)});
}

void GreetingModel::take_reset(State& state, std::size_t side, const Message& reset) const {
  Endpoint& end = state.ends[side];
  Session& session = end.session;
  const bool believed = session.phase == Phase::kOpen && session.theirs == reset.token;
  if (!believed || (rules_.token_of_both && session.mine != reset.from)) return;
  if (reset.number != 0 || !is_unused(session) || !rules_.unused_lives_on)
    return this->end(state, side);
  session = {};
  session.phase = Phase::kGreeting;
  session.mine = fresh_token(state, side);
}

}  // namespace xs::model
