// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The path model's joining, leaving and faults.
#include <algorithm>
#include <cstring>
#include <utility>

#include "path_model.hpp"
#include "path_state.hpp"

namespace xs::model {

using Who = PathModel::Who;

// ---- Joining ----

void PathModel::begin_writing(State& state) const {
  if (state.writing) return;
  if (rules_.rewind_on_joining) state.cursor = state.una;
  Ring& ring = ring_of(state, kWriter);
  ring.first = state.cursor;
  state.writing = true;
}

void PathModel::join(State& state, Who who) const {
  state.sides[who].path = Path::kJoined;
  if (who == kWriter) begin_writing(state);
}

// The answerer has mapped the proposer's region, and says so.
void PathModel::answer(State& state, Who who, std::uint8_t epoch) const {
  Side& side = state.sides[who];
  side.path = Path::kAnswered;
  side.epoch = side.newest = epoch;
  side.maps = true;
  send(state, who, {Kind::kOffer, epoch});
  if (who == kWriter && !rules_.mapped) begin_writing(state);
}

void PathModel::take_offer(State& state, Who who, std::uint8_t epoch) const {
  Side& side = state.sides[who];
  if (state.sides[other(who)].dead) return;  // its pages can't be had
  if (proposes(who)) {
    if (side.epoch != epoch || side.path == Path::kLeaving)
      return say_left(state, who, epoch, true);
    const bool first = side.path == Path::kOffered;
    if (first) {
      side.maps = true;
      join(state, who);
    }
    if (first || rules_.repeat_mapped) send(state, who, {Kind::kMapped, epoch});
    return;
  }
  if (side.epoch == epoch && side.path != Path::kLeaving) {
    send(state, who, {Kind::kOffer, epoch});
    return;
  }
  if (side.epoch == epoch || (rules_.remember_epochs && epoch <= side.newest))
    return say_left(state, who, epoch, true);
  if (side.epoch != 0) {  // only who has done with an older epoch offers another
    if (side.path != Path::kLeaving) leave(state, who);
    finish(state, who);
  }
  answer(state, who, epoch);
}

void PathModel::take_mapped(State& state, Who who, std::uint8_t epoch) const {
  Side& side = state.sides[who];
  if (side.epoch != epoch || side.path == Path::kLeaving) return say_left(state, who, epoch, true);
  if (side.path == Path::kAnswered) join(state, who);
}

// The answerer lacks something.
void PathModel::refusal(const State& state, Who who, std::uint8_t epoch, Steps<State>& out) const {
  const Side& side = state.sides[who];
  if (state.refusals == 0 || proposes(who) || side.path != Path::kFabric) return;
  if (state.sides[other(who)].dead || epoch <= side.newest) return;
  State next = state;
  --next.refusals;
  if (rules_.remember_epochs) next.sides[who].newest = epoch;
  say_left(next, who, epoch, true);
  out.fault(who == kWriter ? "W refuses" : "R refuses", next);
}

// ---- Leaving ----

bool PathModel::send(State& state, Who from, const Message& message) const {
  auto& bag = state.controls[from];
  if (bag.size >= world_.controls || state.sides[other(from)].dead || bag.holds(message))
    return false;
  bag.push(message);
  auto& [first, second] = bag.items;
  if (bag.size == 2 && std::memcmp(&first, &second, sizeof(Message)) > 0) std::swap(first, second);
  return true;
}

void PathModel::say_left(State& state, Who who, std::uint8_t epoch, bool is_answer) const {
  if (is_answer && !rules_.answer_left) return;
  send(state, who, {is_answer ? Kind::kLeftToo : Kind::kLeft, epoch});
}

void PathModel::leave(State& state, Who who) const {
  Side& side = state.sides[who];
  if (who == kWriter) {
    if (rules_.look_on_leaving) look(state);
    if (state.writing && rules_.replay_on_leaving) state.cursor = state.una;
    recall(state);
    state.writing = false;
  } else if (side.maps) {
    if (rules_.drain_on_leaving) drain(state);
    publish(state);
  }
  side.path = Path::kLeaving;
  if (!rules_.keep_mapping) side.maps = false;
}

// The peer has left, too, or is gone.
void PathModel::finish(State& state, Who who) const {
  Side& side = state.sides[who];
  if (who == kWriter && rules_.look_on_leaving) look(state);
  if (who == kReader && rules_.drain_at_end) drain(state);
  side.maps = false;
  side.epoch = 0;
  side.path = Path::kFabric;
  forget_epochs(state);
}

void PathModel::take_left(State& state, Who who, std::uint8_t epoch, bool is_answer) const {
  Side& side = state.sides[who];
  if (side.epoch == epoch) {
    if (side.path != Path::kLeaving) leave(state, who);
    finish(state, who);
  } else if (!proposes(who) && rules_.remember_epochs) {
    side.newest = std::max(side.newest, epoch);
  }
  if (!is_answer) say_left(state, who, epoch, true);
}

// ---- Steps ----

void PathModel::path_steps(const State& state, Who who, Steps<State>& out) const {
  const Side& side = state.sides[who];
  if (side.dead) return;
  if (state.sides[other(who)].dead) return gone_steps(state, who, out);
  const bool waits = side.path == Path::kOffered || side.path == Path::kAnswered;
  State next = state;
  if (waits && rules_.repeat_offer && send(next, who, {Kind::kOffer, side.epoch}))
    out.protocol(who == kWriter ? "W repeats OFFER" : "R repeats OFFER", next);
  next = state;
  const bool leaving = side.path == Path::kLeaving;
  if (leaving && rules_.repeat_left && send(next, who, {Kind::kLeft, side.epoch}))
    out.protocol(who == kWriter ? "W repeats LEFT" : "R repeats LEFT", next);
  const bool holds = side.maps && side.path != Path::kLeaving;
  const bool ones = holds && (who == kWriter ? ring_of(state, who).count
                                             : ring_of(state, who).frames) == View::kOnes;
  if (ones) {
    next = state;
    leave(next, who);
    say_left(next, who, side.epoch, false);
    out.protocol(who == kWriter ? "W sees all ones" : "R sees all ones", next);
  }
}

// hv has told that the peer's process is gone.
void PathModel::gone_steps(const State& state, Who who, Steps<State>& out) const {
  const Side& side = state.sides[who];
  if (side.path == Path::kFabric) return;
  State next = state;
  if (side.path != Path::kLeaving)
    leave(next, who);
  else if (!rules_.gone_is_left)
    return;
  if (rules_.gone_is_left) finish(next, who);
  if (who == kWriter && next.una <= goodbye()) next.broken = Broken::kFailure;
  out.protocol(who == kWriter ? "W hears that R is gone" : "R hears that W is gone", next);
}

void PathModel::mapping_faults(const State& state, Who who, Steps<State>& out) const {
  if (!state.sides[who].maps) return;
  const bool writer = who == kWriter;
  const Ring& ring = ring_of(state, who);
  const View view = writer ? ring.count : ring.frames;
  State next = state;
  Ring& faulty = ring_of(next, who);
  View& seen = writer ? faulty.count : faulty.frames;
  if (state.freezes != 0 && view == View::kLive) {
    --next.freezes;
    seen = View::kFrozen;
    faulty.seen_put = writer ? faulty.seen_put : faulty.put;
    faulty.seen_count = writer ? faulty.consumed : faulty.seen_count;
    out.fault(writer ? "W's mapping freezes" : "R's mapping freezes", next);
  }
  next = state;
  if (state.ones != 0 && view == View::kLive) {
    --next.ones;
    seen = View::kOnes;
    out.fault(writer ? "W's mapping reads all ones" : "R's mapping reads all ones", next);
  }
}

void PathModel::faults(const State& state, Steps<State>& out) const {
  const Side& writer = state.sides[kWriter];
  const Side& reader = state.sides[kReader];
  for (const Who who : {kWriter, kReader}) {
    const Side& side = state.sides[who];
    if (side.dead) continue;
    mapping_faults(state, who, out);
    if (state.sides[other(who)].dead) continue;
    if (proposes(who) && side.path == Path::kFabric && side.newest < world_.epochs) {
      State next = state;
      next.sides[who].path = Path::kOffered;
      next.sides[who].epoch = ++next.sides[who].newest;
      send(next, who, {Kind::kOffer, next.sides[who].epoch});
      out.fault(who == kWriter ? "W offers" : "R offers", next);
    }
    if (state.leaves != 0 && side.path != Path::kFabric && side.path != Path::kLeaving) {
      State next = state;
      --next.leaves;
      leave(next, who);
      say_left(next, who, side.epoch, false);
      out.fault(who == kWriter ? "W leaves" : "R leaves", next);
    }
  }
  if (world_.writer_dies && !writer.dead) {
    State next = state;
    die(next, kWriter);
    out.fault("W is killed", next);
  }
  if (!world_.reader_exits || reader.dead || writer.dead || !knows(state)) return;
  State next = state;
  die(next, kReader);
  out.fault("R exits", next);
}

}  // namespace xs::model
