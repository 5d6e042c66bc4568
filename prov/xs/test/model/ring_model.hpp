// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "explore.hpp"

namespace xs::model {

// The rules of docs/ring.md, each of which the ring model can take out.
struct RingRules {
  bool clear_next = true;            // the cell behind a frame is cleared before its stamp; else
                                     // stamps of old frames are passed over
  bool stamp_last = true;            // the stamp is stored after the bytes
  bool release = true;               // and with release order
  bool acquire = true;               // the stamp is loaded before the bytes
  bool recheck = true;               // and looked at again after the copy
  bool fence = true;                 // that look does not come before the copy
  bool spare_cell = true;            // one cell stays unused
  bool clear_free_only = true;       // ahead, too: no cell that is not known to be taken
  bool count_cleared = true;         // a frame uses up what was cleared ahead of it
  bool copy_before_publish = true;   // a frame is counted as taken after its copy
  bool publish_when_empty = true;    // what is owed is published whenever there is nothing more
  bool producer_full_order = true;   // between a stamp and the look at the consumer's arm word
  bool consumer_full_order = true;   // between `consumed` and the look at the producer's arm word
  bool armed_full_order = true;      // between arming and looking again
  bool consumer_looks_again = true;  // before it sleeps
  bool producer_looks_again = true;  // before it sleeps
  bool new_value_per_arming = true;  // the waker tells one arming from the next
};

// What the machine and the sides are like.
struct RingWorld {
  bool weak = false;             // stores drain in any order that is not forbidden; else TSO
  bool consumer_sleeps = false;  // else it polls
  bool producer_sleeps = false;
  bool clears_ahead = false;  // whenever it likes, cells behind the next frame's place
  std::uint8_t losses = 0;    // the consumer's mapping turns to all ones
};

// One direction of a ring of three cells, which carries five frames of one or two cells. Every
// store of either side waits in its store buffer. What a frame has in the first word of its second
// cell looks like a stamp.
class RingModel {
 public:
  static constexpr std::uint8_t kCells = 3;
  static constexpr std::uint8_t kFrames = 5;

  enum class Broken : std::uint8_t { kNone, kBytes, kPayload, kLiar };
  enum class Producer : std::uint8_t { kClaim, kRing, kLookAgain, kAsleep, kDone };
  enum class Consumer : std::uint8_t { kPeek, kCopy, kCopied, kRing, kLookAgain, kAsleep, kLeft };

  // Words of memory: the first word and the rest of each cell, then the single ones.
  enum Word : std::uint8_t {
    kFirst = 0,
    kRest = kCells,
    kProducerArm = 2 * kCells,
    kConsumed,
    kConsumerArm,
    kWords
  };
  struct Store {
    std::uint8_t word;
    std::uint8_t value;
    bool release;
  };

  struct State {
    std::uint8_t memory[kWords];
    Broken broken;
    // The producer
    Producer producer;
    Queue<Store, 8> producer_stores;
    std::uint8_t sent, accepted;     // frames
    std::uint8_t cleared;            // cells behind the next frame's place
    std::uint8_t producer_arming;    // its arm word
    std::uint8_t rung_for_consumer;  // the arming that was last rung for
    bool producer_bell;
    // The consumer
    Consumer consumer;
    Queue<Store, 6> consumer_stores;
    std::uint8_t taken, owed;  // frames, cells
    std::uint8_t copied[2];    // of the frame that is being looked at
    bool copied_early, rechecked_early;
    std::uint8_t consumer_arming;
    std::uint8_t rung_for_producer;
    bool consumer_bell;
    bool lost;
    std::uint8_t losses;  // left in the budget
  };

  RingModel(const RingRules& rules, const RingWorld& world) : rules_(rules), world_(world) {}

  State initial() const;
  void steps(const State& state, Steps<State>& out) const;
  bool complete(const State& state) const;
  static const char* broken(const State& state);

 private:
  void producer_steps(const State& state, Steps<State>& out) const;
  void consumer_steps(const State& state, Steps<State>& out) const;
  void peek(const State& state, Steps<State>& out) const;
  void copy_steps(const State& state, Steps<State>& out) const;
  template <std::size_t kCapacity>
  void drain(const State& state, Queue<Store, kCapacity> State::*stores, const char* label,
             Steps<State>& out) const;

  static int used(const State& state);
  bool has_room(const State& state) const;
  void publish_frame(State& state) const;
  void clear_ahead(const State& state, Steps<State>& out) const;
  void arm_producer(State& state) const;
  void disarm_producer(State& state) const;
  void arm_consumer(State& state) const;
  void disarm_consumer(State& state) const;
  void nothing_there(const State& state, Steps<State>& out) const;
  void take(State& state) const;
  void publish_count(State& state, std::uint8_t count) const;
  std::uint8_t seen(const State& state, std::uint8_t word) const;

  RingRules rules_;
  RingWorld world_;
};

}  // namespace xs::model
