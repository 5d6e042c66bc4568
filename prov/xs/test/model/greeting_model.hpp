// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "explore.hpp"

namespace xs::model {

// The rules of docs/wire.md §4 and §8, each of which the greeting model can take out.
struct GreetingRules {
  bool hello_proves_nothing = true;        // Greeting opens by WELCOME only
  bool candidate_first = true;             // a HELLO replaces an Open session only after a proof
  bool other_token_other_session = true;   // even from the same incarnation
  bool welcome_in_open_is_ignored = true;  // also if it comes from another incarnation
  bool unused_lives_on = true;  // an unused session that is unknown or superseded keeps its frames
  bool older_candidates_go = true;  // when a session opens
  bool candidate_greets = true;     // a Candidate with something to send sends HELLO
  bool token_of_both = true;        // frames carry what names both sides' greetings
  bool ping_is_reset = true;        // PING under an unknown token is answered by RESET
};

// What the world may do; each fault at most so many times. Any message may be lost at any time.
struct GreetingWorld {
  std::uint8_t sends_a = 1;    // messages that A wants to send
  std::uint8_t sends_b = 1;    // messages that each incarnation of B wants to send
  std::uint8_t restarts = 0;   // B dies and restarts on the same address
  std::uint8_t timeouts = 0;   // A takes B for dead after a long partition
  std::uint8_t forgeries = 0;  // somebody sends A a HELLO with B's address
  std::uint8_t forgets = 0;    // B forgets a candidate
};

// Two endpoints, A and B, that each want to send to the other's address. Messages under way are
// bags: they come in any order, which covers old connections that are read late.
class GreetingModel {
 public:
  enum class Kind : std::uint8_t { kNone, kHello, kWelcome, kFrame, kPing, kAck, kReset };
  enum class Phase : std::uint8_t { kNone, kGreeting, kCandidate, kOpen };
  enum class Broken : std::uint8_t {
    kNone,
    kTwice,
    kLost,
    kFalseDeath,
    kMixed,
    kForged,
    kTooSmall
  };

  struct Message {
    Kind kind;
    std::uint8_t token;   // receive token of the side it goes to (RESET: of the refusing side)
    std::uint8_t from;    // receive token of the side it comes from
    std::uint8_t sender;  // incarnation
    std::uint8_t number;  // FRAME: position; ACK: next position; RESET: 1 ended; HELLO: took_from
  };
  struct Session {
    Phase phase;
    std::uint8_t mine, theirs;  // tokens
    std::uint8_t peer;          // incarnation
    std::uint8_t una, next;     // positions: lowest unacknowledged, next to take
    bool took;                  // a Candidate's HELLO said that its sender took frames of ours
  };
  struct Tokens {
    std::uint8_t mine, theirs;
  };
  struct Endpoint {
    std::uint8_t incarnation;
    std::uint8_t wanted;     // messages not yet begun
    bool sending;            // one is queued or under way
    std::uint8_t message;    // its name
    std::uint8_t took_from;  // the last incarnation of which it took a frame
    Session session;
    Queue<Session, 2> candidates;  // the oldest first
    Queue<Tokens, 2> ended;        // of dead sessions
  };
  struct State {
    Broken broken;
    Endpoint ends[2];
    std::uint8_t taken[4];  // per incarnation: names of the messages taken, a bit set
    std::uint8_t restarts, timeouts, forgeries, forgets;  // left in the budget
    Queue<Message, 2> bags[2];                            // towards A, towards B
  };

  GreetingModel(const GreetingRules& rules, const GreetingWorld& world)
      : rules_(rules), world_(world) {}

  State initial() const;
  void steps(const State& state, Steps<State>& out) const;
  bool complete(const State& state) const;
  static const char* broken(const State& state);

 private:
  void send_steps(const State& state, std::size_t side, Steps<State>& out) const;
  void deliveries(const State& state, std::size_t side, Steps<State>& out) const;
  void faults(const State& state, Steps<State>& out) const;

  void begin(State& state, std::size_t side) const;
  void take(State& state, std::size_t side, const Message& message) const;
  void take_hello(State& state, std::size_t side, const Message& hello) const;
  void take_welcome(State& state, std::size_t side, const Message& welcome) const;
  void take_framed(State& state, std::size_t side, const Message& message) const;
  void take_frame(State& state, std::size_t side, const Message& frame) const;
  void take_ack(State& state, std::size_t side, const Message& ack) const;
  void take_reset(State& state, std::size_t side, const Message& reset) const;
  void refuse(State& state, std::size_t side, const Message& ping) const;

  bool names(const Session& session, const Message& message) const;
  void make_candidate(State& state, std::size_t side, const Message& hello) const;
  void promote(State& state, std::size_t side, const Session& candidate) const;
  void welcome(State& state, std::size_t side, std::uint8_t mine, std::uint8_t offered) const;
  void end(State& state, std::size_t side) const;

  GreetingRules rules_;
  GreetingWorld world_;
};

}  // namespace xs::model
