// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "ring_model.hpp"

namespace xs::model {
namespace {

using State = RingModel::State;
using Store = RingModel::Store;

constexpr std::uint8_t kAllOnes = 0xff;
constexpr std::uint8_t kPayload = 0x40;  // in the first word of a cell: looks like a stamp, is none
constexpr std::uint8_t kDue = 2;         // cells

// In cells, so that frames begin at 0, 1, 0, 2, 0: where payload of the second stood, a stamp is
// looked for a lap later. The second fits only if the first was counted as taken.
constexpr std::uint8_t kLengths[RingModel::kFrames + 1] = {0, 1, 2, 2, 1, 1};

// Where frame `number` begins, in cells since ever.
constexpr std::uint8_t start_of(std::uint8_t number) {
  std::uint8_t cells = 0;
  for (std::uint8_t frame = 1; frame < number; ++frame) cells += kLengths[frame];
  return cells;
}

constexpr std::uint8_t cell_of(std::uint8_t number, std::uint8_t offset = 0) {
  return static_cast<std::uint8_t>((start_of(number) + offset) % RingModel::kCells);
}

bool is_odd(std::uint8_t value) { return (value & 1) != 0; }

}  // namespace

RingModel::State RingModel::initial() const {
  State state{};
  state.losses = world_.losses;
  return state;
}

bool RingModel::complete(const State& state) const {
  return state.consumer == Consumer::kLeft ||
         (state.taken == kFrames && state.producer == Producer::kDone);
}

const char* RingModel::broken(const State& state) {
  switch (state.broken) {
    case Broken::kNone:
      return "";
    case Broken::kBytes:
      return "a frame was taken with other bytes than its own";
    case Broken::kPayload:
      return "old payload was looked at as a stamp";
    case Broken::kLiar:
      return "an honest peer was called a liar";
  }
  return "unknown";
}

void RingModel::steps(const State& state, Steps<State>& out) const {
  producer_steps(state, out);
  consumer_steps(state, out);
  drain(state, &State::producer_stores, "a store of P is seen", out);
  drain(state, &State::consumer_stores, "a store of C is seen", out);
  if (state.losses != 0 && state.consumer != Consumer::kLeft) {
    State next = state;
    --next.losses;
    next.lost = true;
    out.fault("the mapping dies", next);
  }
}

// TSO: in order. Weak: in any order, but not past a store to the same word, and a release store not
// past anything before it.
template <std::size_t kCapacity>
void RingModel::drain(const State& state, Queue<Store, kCapacity> State::*stores, const char* label,
                      Steps<State>& out) const {
  const auto& queue = state.*stores;
  const std::size_t choices = world_.weak ? queue.size : (queue.empty() ? 0 : 1);
  for (std::size_t at = 0; at < choices; ++at) {
    bool may = at == 0 || !queue.items[at].release;
    for (std::size_t i = 0; i < at; ++i) may &= queue.items[i].word != queue.items[at].word;
    if (!may) continue;
    State next = state;
    const Store store = (next.*stores).take(at);
    next.memory[store.word] = store.value;
    out.protocol(label, next);
  }
}

// The producer.

// Cells from the oldest frame that is not known to be taken to where the next one begins.
int RingModel::used(const State& state) {
  return start_of(static_cast<std::uint8_t>(state.sent + 1)) -
         start_of(static_cast<std::uint8_t>(state.accepted + 1));
}

bool RingModel::has_room(const State& state) const {
  const auto number = static_cast<std::uint8_t>(state.sent + 1);
  return used(state) + kLengths[number] + (rules_.spare_cell ? 1 : 0) <= kCells;
}

void RingModel::publish_frame(State& state) const {
  const std::uint8_t number = ++state.sent;
  const std::uint8_t here = cell_of(number);
  const Store stamp{static_cast<std::uint8_t>(kFirst + here), number, rules_.release};
  auto& stores = state.producer_stores;
  if (!rules_.stamp_last) stores.push(stamp);
  stores.push({static_cast<std::uint8_t>(kRest + here), number, false});
  if (kLengths[number] == 2) {
    const std::uint8_t second = cell_of(number, 1);
    stores.push({static_cast<std::uint8_t>(kFirst + second),
                 static_cast<std::uint8_t>(kPayload | number), false});
  }
  const std::uint8_t length = kLengths[number];
  const std::uint8_t next = cell_of(number, length);
  if (rules_.clear_next && length > state.cleared)
    stores.push({static_cast<std::uint8_t>(kFirst + next), 0, false});
  if (rules_.count_cleared)
    state.cleared = length < state.cleared ? static_cast<std::uint8_t>(state.cleared - length)
                                           : std::uint8_t{0};
  if (rules_.stamp_last) stores.push(stamp);
}

// One cell more: when, and how many at a time, does not matter.
void RingModel::clear_ahead(const State& state, Steps<State>& out) const {
  if (!world_.clears_ahead || state.sent == kFrames) return;
  const int most = rules_.clear_free_only ? kCells - used(state) - 1 : kCells - 1;
  if (state.cleared >= most) return;
  State next = state;
  const std::uint8_t cell = cell_of(static_cast<std::uint8_t>(state.sent + 1), ++next.cleared);
  next.producer_stores.push({static_cast<std::uint8_t>(kFirst + cell), 0, false});
  out.protocol("P clears a cell ahead", next);
}

void RingModel::arm_producer(State& state) const {
  state.producer_arming = rules_.new_value_per_arming
                              ? static_cast<std::uint8_t>(state.producer_arming + 1)
                              : std::uint8_t{1};
  state.producer_stores.push({kProducerArm, state.producer_arming, true});
  state.producer = Producer::kLookAgain;
}

void RingModel::disarm_producer(State& state) const {
  state.producer_arming = rules_.new_value_per_arming
                              ? static_cast<std::uint8_t>(state.producer_arming + 1)
                              : std::uint8_t{0};
  state.producer_stores.push({kProducerArm, state.producer_arming, false});
  state.producer = Producer::kClaim;
}

void RingModel::producer_steps(const State& state, Steps<State>& out) const {
  if (state.producer_stores.size > 3) return;  // room for a frame
  const bool drained = state.producer_stores.empty();
  State next = state;
  switch (state.producer) {
    case Producer::kClaim:
      if (state.sent == kFrames) {
        next.producer = Producer::kDone;
        return out.protocol("P is done", next);
      }
      clear_ahead(state, out);
      next.accepted = state.memory[kConsumed];
      if (has_room(next)) {
        publish_frame(next);
        if (world_.consumer_sleeps) next.producer = Producer::kRing;
        return out.protocol("P publishes a frame", next);
      }
      if (world_.producer_sleeps) arm_producer(next);
      return out.protocol("P finds no room", next);
    case Producer::kRing:
      if (rules_.producer_full_order && !drained) return;
      next.producer = Producer::kClaim;
      if (const std::uint8_t arm = state.memory[kConsumerArm];
          is_odd(arm) && arm != state.rung_for_consumer) {
        next.rung_for_consumer = arm;
        next.consumer_bell = true;
      }
      return out.protocol("P looks at C's arm word", next);
    case Producer::kLookAgain:
      if (rules_.armed_full_order && !drained) return;
      if (rules_.producer_looks_again) next.accepted = state.memory[kConsumed];
      if (has_room(next)) {
        disarm_producer(next);
        return out.protocol("P finds room at last", next);
      }
      next.producer = Producer::kAsleep;
      return out.protocol("P falls asleep", next);
    case Producer::kAsleep:
      if (!state.producer_bell) return;
      next.producer_bell = false;
      disarm_producer(next);
      return out.protocol("P wakes up", next);
    case Producer::kDone:
      return;
  }
}

// The consumer.

// What it loads from the producer's region.
std::uint8_t RingModel::seen(const State& state, std::uint8_t word) const {
  return state.lost ? kAllOnes : state.memory[word];
}

void RingModel::publish_count(State& state, std::uint8_t count) const {
  state.owed = 0;
  state.consumer_stores.push({kConsumed, count, true});
}

void RingModel::arm_consumer(State& state) const {
  state.consumer_arming = rules_.new_value_per_arming
                              ? static_cast<std::uint8_t>(state.consumer_arming + 1)
                              : std::uint8_t{1};
  state.consumer_stores.push({kConsumerArm, state.consumer_arming, true});
  state.consumer = Consumer::kLookAgain;
}

void RingModel::disarm_consumer(State& state) const {
  state.consumer_arming = rules_.new_value_per_arming
                              ? static_cast<std::uint8_t>(state.consumer_arming + 1)
                              : std::uint8_t{0};
  state.consumer_stores.push({kConsumerArm, state.consumer_arming, false});
  state.consumer = Consumer::kPeek;
}

void RingModel::nothing_there(const State& state, Steps<State>& out) const {
  State next = state;
  next.copied_early = false;
  next.copied[0] = next.copied[1] = 0;
  if (state.owed != 0 && (rules_.publish_when_empty || state.owed >= kDue)) {
    publish_count(next, state.taken);
    if (world_.producer_sleeps) next.consumer = Consumer::kRing;
  } else if (world_.consumer_sleeps) {
    arm_consumer(next);
  }
  out.protocol("C finds nothing", next);
}

void RingModel::peek(const State& state, Steps<State>& out) const {
  State next = state;
  if (state.owed >= kDue) {
    publish_count(next, state.taken);
    if (world_.producer_sleeps) next.consumer = Consumer::kRing;
    return out.protocol("C publishes what is due", next);
  }
  const auto number = static_cast<std::uint8_t>(state.taken + 1);
  const std::uint8_t here =
      state.taken == kFrames ? cell_of(kFrames, kLengths[kFrames]) : cell_of(number);
  if (!rules_.acquire && !state.copied_early && state.taken < kFrames) {
    next.copied[0] = seen(state, static_cast<std::uint8_t>(kRest + here));
    next.copied[1] = seen(state, static_cast<std::uint8_t>(kFirst + cell_of(number, 1)));
    next.copied_early = true;
    out.protocol("C's loads of bytes come early", next);
    next = state;
  }
  const std::uint8_t stamp = seen(state, static_cast<std::uint8_t>(kFirst + here));
  const bool is_old = stamp < number && !rules_.clear_next;
  if (stamp == 0 || is_old) return nothing_there(state, out);
  if (stamp == kAllOnes) {
    next.consumer = Consumer::kLeft;
  } else if (stamp != number || state.taken == kFrames) {
    next.broken = (stamp & kPayload) != 0 ? Broken::kPayload : Broken::kLiar;
  } else {
    next.consumer = state.copied_early ? Consumer::kCopied : Consumer::kCopy;
    if (!rules_.copy_before_publish) publish_count(next, number);
  }
  out.protocol("C finds a stamp", next);
}

void RingModel::take(State& state) const {
  const auto number = static_cast<std::uint8_t>(state.taken + 1);
  bool right = state.copied[0] == number;
  if (kLengths[number] == 2) right &= state.copied[1] == (kPayload | number);
  if (!right) state.broken = Broken::kBytes;
  ++state.taken;
  if (rules_.copy_before_publish)
    state.owed = static_cast<std::uint8_t>(state.owed + kLengths[number]);
  state.copied[0] = state.copied[1] = 0;
  state.copied_early = state.rechecked_early = false;
  state.consumer = Consumer::kPeek;
}

void RingModel::copy_steps(const State& state, Steps<State>& out) const {
  const auto number = static_cast<std::uint8_t>(state.taken + 1);
  const std::uint8_t stamp = seen(state, static_cast<std::uint8_t>(kFirst + cell_of(number)));
  State next = state;
  if (state.consumer == Consumer::kCopied) {
    if (!rules_.recheck || state.rechecked_early || stamp == number) {
      take(next);
      return out.protocol("C takes the frame", next);
    }
    next.consumer = Consumer::kLeft;
    if (stamp != kAllOnes) next.broken = Broken::kLiar;
    return out.protocol("C sees that the frame doesn't stand", next);
  }
  if (!rules_.fence && !state.rechecked_early && stamp == number) {
    next.rechecked_early = true;
    out.protocol("C's second look comes early", next);
    next = state;
  }
  if (state.copied[0] == 0 && kLengths[number] == 2) {
    next.copied[0] = seen(state, static_cast<std::uint8_t>(kRest + cell_of(number)));
    if (next.copied[0] == 0) next.copied[0] = kPayload;  // read, and wrong
    return out.protocol("C copies one half", next);
  }
  if (kLengths[number] == 2) {
    next.copied[1] = seen(state, static_cast<std::uint8_t>(kFirst + cell_of(number, 1)));
  } else {
    next.copied[0] = seen(state, static_cast<std::uint8_t>(kRest + cell_of(number)));
  }
  next.consumer = Consumer::kCopied;
  out.protocol("C copies the rest", next);
}

void RingModel::consumer_steps(const State& state, Steps<State>& out) const {
  if (state.consumer_stores.size > 3) return;
  const bool drained = state.consumer_stores.empty();
  State next = state;
  switch (state.consumer) {
    case Consumer::kPeek:
      return peek(state, out);
    case Consumer::kCopy:
    case Consumer::kCopied:
      return copy_steps(state, out);
    case Consumer::kRing:
      if (rules_.consumer_full_order && !drained) return;
      next.consumer = Consumer::kPeek;
      if (const std::uint8_t arm = seen(state, kProducerArm); arm == kAllOnes) {
        next.consumer = Consumer::kLeft;
      } else if (is_odd(arm) && arm != state.rung_for_producer) {
        next.rung_for_producer = arm;
        next.producer_bell = true;
      }
      return out.protocol("C looks at P's arm word", next);
    case Consumer::kLookAgain: {
      if (rules_.armed_full_order && !drained) return;
      const std::uint8_t here =
          cell_of(static_cast<std::uint8_t>(state.taken == kFrames ? kFrames : state.taken + 1),
                  state.taken == kFrames ? kLengths[kFrames] : std::uint8_t{0});
      if (rules_.consumer_looks_again &&
          seen(state, static_cast<std::uint8_t>(kFirst + here)) != 0) {
        disarm_consumer(next);
        return out.protocol("C finds something at last", next);
      }
      next.consumer = Consumer::kAsleep;
      return out.protocol("C falls asleep", next);
    }
    case Consumer::kAsleep:
      if (!state.consumer_bell) return;
      next.consumer_bell = false;
      disarm_consumer(next);
      return out.protocol("C wakes up", next);
    case Consumer::kLeft:
      return;
  }
}

}  // namespace xs::model
