// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "explore.hpp"

namespace xs::model {

// The rules of docs/wire.md §6, each of which the rendezvous model can take out.
struct RendezvousRules {
  bool post_before_cts = true;       // the inner receive stands before CTS leaves
  bool scratch = true;               // a tag that was given up keeps a scratch receive
  bool take_back = true;             // SENT, quiet and no bytes: take back the inner receive
  bool wait_for_sent = true;         // the next attempt waits for SENT
  bool wait_for_let_go = true;       // and until the inner provider let go of the receive
  bool release_after_let_go = true;  // FIN releases the buffer only when the inner send is over
  bool always_sent = true;           // SENT is said for failed sends, too
  bool keep_id_until_sent = true;    // the receive id outlives FIN until SENT came
  bool lane_in_cts = true;           // no bulk send if the lane of the CTS is not the route's
  bool retire_lane = true;           // a lane that doesn't let go is closed
};

// What the world may do; each fault at most so many times.
struct RendezvousWorld {
  std::uint8_t losses = 1;  // bulk bytes are lost, or a receive or send under way fails
  std::uint8_t stalls = 0;  // an inner send or an active inner receive makes no progress any more
  std::uint8_t moves = 0;   // the receiver moves to its second lane
};

// One rendezvous from the match on. The streams are taken as exact (the stream model shows that);
// what the inner provider does with the bulk message is not.
class RendezvousModel {
 public:
  static constexpr std::uint8_t kDataFrames = 2;

  enum class Kind : std::uint8_t { kNone, kCtsBulk, kCtsStream, kFin, kSent, kSentFailed, kData };
  enum class Broken : std::uint8_t { kNone, kStopped, kLateWrite, kFreedEarly, kFalseLie };
  enum class Inner : std::uint8_t {
    kIdle,
    kPosted,
    kActive,
    kFailed
  };  // kActive: bytes are moving
  enum class Phase : std::uint8_t { kMatched, kBulk, kTakingBack, kStream, kDone };

  struct State {
    Broken broken;
    // The sender
    Inner send;              // its bulk send
    std::uint8_t send_lane;  // the lane that it goes to
    bool sent_owed;          // SENT has yet to be said
    std::uint8_t route;      // the receiver's lane as the sender knows it
    std::uint8_t data_left;  // DATA frames to send
    bool finished;           // FIN came
    bool released;           // the user has the buffer back
    // The receiver
    Phase phase;
    Inner receive;
    bool scratch;  // a scratch receive stands for the tag
    bool cts_sent;
    bool sent_taken;
    std::uint8_t data_taken;
    std::uint8_t lane;  // where it is now: 1 or 2
    bool first_lane_closed;
    bool greeting;  // its HELLO with the second lane is under way
    // The inner provider
    std::uint8_t flying;  // the lane that the bulk message is under way to, 0: none
    bool send_stalled, receive_stalled;
    std::uint8_t losses, stalls, moves;  // left in the budget
    Queue<Kind, 3> to_sender, to_receiver;
  };

  RendezvousModel(const RendezvousRules& rules, const RendezvousWorld& world)
      : rules_(rules), world_(world) {}

  State initial() const;
  void steps(const State& state, Steps<State>& out) const;
  bool complete(const State& state) const;
  static const char* broken(const State& state);

 private:
  void sender_steps(const State& state, Steps<State>& out) const;
  void receiver_steps(const State& state, Steps<State>& out) const;
  void inner_steps(const State& state, Steps<State>& out) const;
  void retirements(const State& state, Steps<State>& out) const;
  void faults(const State& state, Steps<State>& out) const;

  void take_at_sender(State& state, Kind frame) const;
  void take_at_receiver(State& state, Kind frame) const;
  void release(State& state) const;
  void let_go_of_send(State& state, bool failed) const;
  void arrive(State& state) const;
  void finish_receive(State& state) const;
  void close_first_lane(State& state) const;
  bool may_take_back(const State& state) const;
  bool may_try_again(const State& state) const;

  RendezvousRules rules_;
  RendezvousWorld world_;
};

}  // namespace xs::model
