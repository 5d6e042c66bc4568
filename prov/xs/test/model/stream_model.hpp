// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "explore.hpp"

namespace xs::model {

// The rules of docs/wire.md §5 and §7, each of which the stream model can take out.
struct StreamRules {
  bool drop_old = true;               // a frame below `next` is not taken again
  bool drop_ahead = true;             // a frame above `next` is not taken
  bool gap_report = true;             // a frame above `next` is answered by ACK(GAP)
  bool ping = true;                   // PING while frames are unacknowledged
  bool ping_while_peer_talks = true;  // its timer looks at progress, not at what is heard
  bool ping_is_answered = true;       // PING is answered by ACK with the PING's number
  bool echo_replays = true;           // an echo above the ACK's own `ack` replays
  bool replay_again = true;           // a second report of the same position replays again
  bool regreeting_replays = true;     // a re-greeting replays
  bool failed_send_replays = true;    // a failed inner send replays
  bool stale_ack_is_old = true;       // an `ack` below `una` is ignored, not a lie
  bool limit_is_highest_sent = true;  // `ack` may reach what was ever sent, not just the cursor
  bool keep_while_posted = true;      // a frame is kept while an inner send of it is under way
  bool retire_stalled = true;         // a connection that lets nothing go is closed
  bool window = true;                 // at most kWindow frames are unacknowledged
  bool linger = true;                 // exit only when GOODBYE is acknowledged
  bool closed_answers = true;         // PING is answered after GOODBYE, too
};

// What the world may do; each fault at most so many times.
struct StreamWorld {
  std::uint8_t resets = 2;
  std::uint8_t stalls = 0;
  std::uint8_t regreetings = 0;
  bool peer_talks = false;  // B sends frames of its own without pause until all has come
};

// A sends kFrames frames and GOODBYE to B over an inner provider that loses silently. In each
// direction there is the connection in use and what the reader's kernel still holds of the one
// before; they are read in any interleaving.
class StreamModel {
 public:
  static constexpr std::uint8_t kFrames = 2;
  static constexpr std::uint8_t kGoodbye = kFrames + 1;  // the last sequence number
  static constexpr std::uint8_t kWindow = 2;

  enum class Kind : std::uint8_t { kNone, kFrame, kPing, kAck, kGapAck, kHello };
  enum class Broken : std::uint8_t {
    kNone,
    kDuplicate,
    kSkipped,
    kFalseLie,
    kReusedBuffer,
    kWindow
  };

  struct Forward {  // A to B
    Kind kind;
    std::uint8_t number;
  };
  struct Backward {  // B to A
    Kind kind;
    std::uint8_t ack;
    std::uint8_t echo;
  };

  struct State {
    Broken broken;
    // A
    std::uint8_t una;       // lowest unacknowledged
    std::uint8_t cursor;    // next to post
    std::uint8_t highest;   // one above what was ever posted
    std::uint8_t replayed;  // position of the last replay (kept only without replay_again)
    bool exited;
    // B
    std::uint8_t next;
    std::uint8_t echo;  // number of the PING to answer, 0: none
    bool ack_due;
    bool gap_due;
    bool closed;  // GOODBYE was taken and once acknowledged
    // The inner provider
    bool stalled;                              // the connection takes nothing more from A
    std::uint8_t handed_over;                  // how many of `forward` have left A's hands
    std::uint8_t resets, stalls, regreetings;  // left in the budget
    Queue<Forward, 2> forward, forward_old;
    Queue<Backward, 1> backward, backward_old;
  };

  StreamModel(const StreamRules& rules, const StreamWorld& world) : rules_(rules), world_(world) {}

  State initial() const;
  void steps(const State& state, Steps<State>& out) const;
  bool complete(const State& state) const { return state.exited && state.next > kGoodbye; }
  static const char* broken(const State& state);

 private:
  void sender_steps(const State& state, Steps<State>& out) const;
  void receiver_steps(const State& state, Steps<State>& out) const;
  void inner_steps(const State& state, Steps<State>& out) const;
  void breaks(const State& state, const char* label, Step kind, Steps<State>& out) const;
  void deliveries(const State& state, Steps<State>& out) const;

  bool may_post(const State& state) const;
  bool may_ping(const State& state) const;
  bool may_exit(const State& state) const;
  void post(State& state) const;
  void hand_over(State& state) const;
  void replay(State& state, bool again) const;
  void acknowledge(State& state) const;
  void break_off(State& state, std::size_t forward_kept, std::size_t backward_kept) const;
  void take_at_receiver(State& state, Forward item) const;
  void take_frame(State& state, std::uint8_t seq) const;
  void take_at_sender(State& state, Backward item) const;

  StreamRules rules_;
  StreamWorld world_;
};

}  // namespace xs::model
