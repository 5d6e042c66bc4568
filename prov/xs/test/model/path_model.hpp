// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "explore.hpp"

namespace xs::model {

// The rules of docs/paths.md, each of which the path model can take out.
struct PathRules {
  // Joining
  bool mapped = true;             // the answerer writes after MAPPED or a frame, not before
  bool rewind_on_joining = true;  // the first frame put into a ring is the first unacknowledged
  bool check_head = true;         // a ring's frame that is ahead of `next` is not taken
  bool count_alone = true;        // while W writes, `consumed` alone acknowledges
  bool repeat_offer = true;       // OFFER is repeated, by both
  bool repeat_mapped = true;      // a repeated OFFER of the answerer is answered by MAPPED again
  bool remember_epochs = true;    // an epoch that was left or refused is never joined
  // Leaving
  bool repeat_left = true;
  bool answer_left = true;  // LEFT for an epoch that is not in hand is answered
  bool drain_on_leaving = true;
  bool look_on_leaving = true;    // `consumed` is looked at once more
  bool recall_on_leaving = true;  // what ACK said while W wrote counts then
  bool keep_mapping = true;       // until the peer's LEFT
  bool drain_at_end = true;       // before that mapping goes
  bool gone_is_left = true;       // a peer that is gone needs no LEFT
  bool replay_on_leaving = true;  // posting restarts at the last acknowledgement
  bool linger = true;             // exit only when GOODBYE is acknowledged
  // PING
  bool leave_on_echo = true;     // an answer below its echo
  bool drain_for_ping = true;    // who takes a PING drains before it answers
  bool count_for_ping = true;    // and publishes `consumed`
  bool believe_count = true;     // `consumed` is compared with the echo; else `ack` is
  bool ping_says_put = true;     // its number is that of the next frame to be put
  bool ping_names_epoch = true;  // an answer to a PING of another path is passed over
  // Frames ahead on the fabric
  bool ignore_gap = true;  // while writing
  bool drain_when_ahead = true;
};

// What the world may do; each fault at most so many times.
struct PathWorld {
  bool writer_proposes = true;
  std::uint8_t frames = 2;
  std::uint8_t epochs = 1;
  std::uint8_t controls = 1;  // of each side under way at a time
  std::uint8_t losses = 0;    // of a message on the fabric
  std::uint8_t freezes = 0;   // a mapping that shows nothing new any more
  std::uint8_t ones = 0;      // a mapping that reads all ones
  std::uint8_t leaves = 0;    // without a cause
  std::uint8_t refusals = 0;  // of an OFFER
  bool writer_exits = true;   // else both live on and have to agree in the end
  bool writer_dies = false;   // at any moment
  bool reader_exits = false;  // once W can know by a word of R's that it took everything
  bool gaps = false;          // R reports frames that are ahead
};

// W sends some frames and GOODBYE to R, over a fabric whose messages come in any order, and
// through a ring of W's in one or two epochs. Either mapping may freeze or turn to all ones.
class PathModel {
 public:
  static constexpr std::uint8_t kRoom = 2;      // frames in a ring
  static constexpr std::uint8_t kUnderWay = 2;  // frames on the fabric
  static constexpr std::size_t kMostEpochs = 2;

  enum Who : std::uint8_t { kWriter, kReader };
  enum class Kind : std::uint8_t {
    kNone,
    kOffer,
    kMapped,
    kLeft,
    kLeftToo
  };  // the last: an answer
  enum class Path : std::uint8_t { kFabric, kOffered, kAnswered, kJoined, kLeaving };
  enum class View : std::uint8_t { kLive, kFrozen, kOnes };
  enum class Broken : std::uint8_t { kNone, kSkipped, kFalseLie, kNeedless, kFailure };

  struct Message {
    Kind kind;
    std::uint8_t epoch;
  };
  struct Side {
    Path path;
    std::uint8_t epoch;   // in hand, 0: none
    std::uint8_t newest;  // ever named, by the proposer, or heard of, by the answerer
    bool maps;            // the other side's region
    bool dead;
  };
  // Frames of W's region, and how many of them R has counted in its own.
  struct Ring {
    std::uint8_t first;     // number of its first frame, 0: W never wrote
    std::uint8_t put;       // how many
    std::uint8_t taken;     // R's own count
    std::uint8_t consumed;  // the published one
    View frames;            // as R sees them
    View count;             // as W sees it
    std::uint8_t seen_put;  // what the mappings froze at
    std::uint8_t seen_count;
  };
  struct Ping {
    std::uint8_t number;  // 0: none is under way
    std::uint8_t epoch;   // 0: not about a ring
  };
  struct Ack {
    std::uint8_t ack;  // 0: none is under way
    Ping echo;         // of what it answers, all 0: nothing
    bool gap;
  };

  struct State {
    Broken broken;
    Side sides[2];
    Ring rings[kMostEpochs];
    // W
    std::uint8_t una, cursor, highest;
    std::uint8_t told;  // by ACK, while writing
    bool writing;
    // R
    std::uint8_t next;
    // The fabric
    std::uint8_t frames;  // one bit each
    Ping ping;
    Ack ack;
    Queue<Message, 2> controls[2];  // sent by each side; sorted
    // Left in the budget
    std::uint8_t losses, freezes, ones, leaves, refusals;
  };

  PathModel(const PathRules& rules, const PathWorld& world) : rules_(rules), world_(world) {}

  State initial() const;
  void steps(const State& state, Steps<State>& out) const;
  bool complete(const State& state) const;
  static const char* broken(const State& state);

 private:
  std::uint8_t goodbye() const { return world_.frames + 1; }  // the last sequence number

  // path_model.cpp: the stream
  void writer_steps(const State& state, Steps<State>& out) const;
  void ring_steps(const State& state, Steps<State>& out) const;
  void reader_steps(const State& state, Steps<State>& out) const;
  void frame_steps(const State& state, Steps<State>& out) const;
  void control_steps(const State& state, Who from, Steps<State>& out) const;
  void lose(const State& state, Steps<State>& out) const;
  bool may_ping(const State& state) const;
  bool has_room(const State& state) const;
  void put(State& state) const;
  bool look(State& state) const;
  void take_ack(State& state, Ack ack) const;
  void recall(State& state) const;
  bool knows(const State& state) const;
  void answered(State& state, Ack ack) const;
  void send_ack(State& state, Ping echo, bool gap) const;
  void take_frame(State& state, std::uint8_t seq) const;
  void take_ping(State& state, Ping ping) const;
  bool take_from_ring(State& state) const;
  void drain(State& state) const;

  // path_join.cpp: joining and leaving
  void path_steps(const State& state, Who who, Steps<State>& out) const;
  void gone_steps(const State& state, Who who, Steps<State>& out) const;
  void faults(const State& state, Steps<State>& out) const;
  void mapping_faults(const State& state, Who who, Steps<State>& out) const;
  bool proposes(Who who) const { return (who == kWriter) == world_.writer_proposes; }
  void begin_writing(State& state) const;
  void take_offer(State& state, Who who, std::uint8_t epoch) const;
  void answer(State& state, Who who, std::uint8_t epoch) const;
  void refusal(const State& state, Who who, std::uint8_t epoch, Steps<State>& out) const;
  void take_mapped(State& state, Who who, std::uint8_t epoch) const;
  void take_left(State& state, Who who, std::uint8_t epoch, bool is_answer) const;
  void join(State& state, Who who) const;
  void leave(State& state, Who who) const;
  void finish(State& state, Who who) const;
  void say_left(State& state, Who who, std::uint8_t epoch, bool is_answer) const;
  bool send(State& state, Who from, const Message& message) const;  // false: it is lost

  PathRules rules_;
  PathWorld world_;
};

}  // namespace xs::model
