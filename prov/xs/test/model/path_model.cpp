// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The stream's part of the path model. path_join.cpp has joining and leaving.
#include "path_model.hpp"

#include <algorithm>
#include <bit>

#include "path_state.hpp"

namespace xs::model {

using Who = PathModel::Who;

PathModel::State PathModel::initial() const {
  State state{};
  state.una = state.cursor = state.highest = state.next = 1;
  state.losses = world_.losses;
  state.freezes = world_.freezes;
  state.ones = world_.ones;
  state.leaves = world_.leaves;
  state.refusals = world_.refusals;
  return state;
}

const char* PathModel::broken(const State& state) {
  if (threw_away(state)) return "frames of a dead writer were thrown away";
  switch (state.broken) {
    case Broken::kNone:
      return "";
    case Broken::kSkipped:
      return "a frame was taken before its predecessor";
    case Broken::kFalseLie:
      return "an honest peer was called a liar";
    case Broken::kNeedless:
      return "a sound ring was left for a PING";
    case Broken::kFailure:
      return "frames that were taken were reported as failed";
  }
  return "unknown";
}

bool PathModel::complete(const State& state) const {
  const Side& writer = state.sides[kWriter];
  const Side& reader = state.sides[kReader];
  if (writer.dead) {
    const bool whole = state.next > goodbye() || world_.writer_dies;
    return whole && (reader.dead || (reader.path == Path::kFabric && !reader.maps));
  }
  if (world_.writer_exits || state.next <= goodbye() || state.una <= goodbye()) return false;
  const bool both = writer.path == reader.path && writer.epoch == reader.epoch;
  return both && (writer.path == Path::kFabric || writer.path == Path::kJoined);
}

void PathModel::steps(const State& state, Steps<State>& out) const {
  if (!state.sides[kWriter].dead) writer_steps(state, out);
  if (!state.sides[kReader].dead) reader_steps(state, out);
  for (const Who who : {kWriter, kReader}) {
    path_steps(state, who, out);
    control_steps(state, who, out);
  }
  frame_steps(state, out);
  faults(state, out);
}

// ---- W ----

// Looks at `consumed`; true if that moved anything.
bool PathModel::look(State& state) const {
  const Side& writer = state.sides[kWriter];
  if (!writer.maps || writer.epoch == 0) return false;
  const Ring& ring = ring_of(state, kWriter);
  if (ring.first == 0 || ring.count == View::kOnes) return false;
  const auto ack = static_cast<std::uint8_t>(ring.first + seen_count(ring));
  if (ack <= state.una) return false;
  state.una = ack;
  state.cursor = std::max(state.cursor, state.una);
  return true;
}

void PathModel::put(State& state) const {
  Ring& ring = ring_of(state, kWriter);
  if (ring.put == 0) ring.first = state.cursor;
  if (state.cursor != ring.first + ring.put) state.broken = Broken::kFalseLie;  // R will say so
  ++ring.put;
  state.highest = std::max(state.highest, ++state.cursor);
}

bool PathModel::has_room(const State& state) const {
  if (!state.writing || state.cursor > goodbye()) return false;
  const Ring& ring = ring_of(state, kWriter);
  return ring.count != View::kOnes && ring.put - seen_count(ring) < kRoom;
}

// Quiet is believed only when there is nothing else to do.
bool PathModel::may_ping(const State& state) const {
  State looked = state;
  if (state.ping.number != 0 || has_room(state) || (state.writing && look(looked))) return false;
  if (!state.writing && state.cursor <= goodbye()) return false;
  return state.una < state.highest;
}

void PathModel::ring_steps(const State& state, Steps<State>& out) const {
  State next = state;
  const bool moved = look(next);
  if (has_room(state)) {
    put(next);
    out.protocol("W puts the next frame", next);
  } else if (moved) {
    out.protocol("W looks at the count", next);
  }
}

void PathModel::writer_steps(const State& state, Steps<State>& out) const {
  if (state.writing) ring_steps(state, out);
  const bool free = std::popcount(state.frames) < kUnderWay && !state.sides[kReader].dead;
  const auto bit = static_cast<std::uint8_t>(1 << state.cursor);
  if (!state.writing && state.cursor <= goodbye() && free && (state.frames & bit) == 0) {
    State next = state;
    next.frames |= bit;
    next.highest = std::max(next.highest, ++next.cursor);
    out.protocol("W posts the next frame", next);
  }
  if (!state.sides[kReader].dead && may_ping(state)) {
    State next = state;
    const bool of_ring = state.writing && rules_.ping_says_put;
    next.ping.number = of_ring ? state.cursor : state.highest;
    if (state.writing && rules_.ping_names_epoch) next.ping.epoch = state.sides[kWriter].epoch;
    out.protocol("W sends PING", next);
  }
  const bool done = rules_.linger ? state.una > goodbye() : state.highest > goodbye();
  if (world_.writer_exits && done) {
    State next = state;
    die(next, kWriter);
    out.protocol("W exits", next);
  }
}

// While W writes, the count alone says what was taken: numbers in a ring are consecutive, so what
// is not put yet must stay.
void PathModel::take_ack(State& state, Ack ack) const {
  if (ack.ack > state.highest) state.broken = Broken::kFalseLie;
  // Of worlds in which nobody needs it, it would only make more states.
  if (state.writing && world_.reader_exits) state.told = std::max(state.told, ack.ack);
  if (!state.writing || !rules_.count_alone) state.una = std::max(state.una, ack.ack);
  state.cursor = std::max(state.cursor, state.una);
  if (ack.gap && !(state.writing && rules_.ignore_gap)) state.cursor = state.una;
  if (ack.echo.number != 0) answered(state, ack);
}

// W writes no more: nothing stands in the way of what it was told meanwhile.
void PathModel::recall(State& state) const {
  if (rules_.recall_on_leaving) state.una = std::max(state.una, state.told);
  state.cursor = std::max(state.cursor, state.una);
  state.told = 0;
}

// W has been told that everything is taken, or can see so in pages that outlive R: GOODBYE of R's
// says the former, and R exits when that is acknowledged.
bool PathModel::knows(const State& state) const {
  const Side& writer = state.sides[kWriter];
  const Side& reader = state.sides[kReader];
  if (std::max(state.una, state.told) > goodbye()) return true;
  if (reader.path != Path::kJoined || !writer.maps || writer.epoch != reader.epoch) return false;
  const Ring& ring = ring_of(state, kReader);
  return ring.first + ring.consumed > goodbye() && ring.count == View::kLive;
}

// The answer to a PING.
void PathModel::answered(State& state, Ack ack) const {
  const std::uint8_t epoch = state.writing ? state.sides[kWriter].epoch : std::uint8_t{0};
  if (rules_.ping_names_epoch && ack.echo.epoch != epoch) return;
  if (!state.writing) {
    if (ack.ack < ack.echo.number) state.cursor = state.una;
    return;
  }
  if (!rules_.leave_on_echo) return;
  look(state);
  const Ring& ring = ring_of(state, kWriter);
  const int count = ring.count == View::kOnes ? 0 : ring.first + seen_count(ring);
  if ((rules_.believe_count ? count : ack.ack) >= ack.echo.number) return;
  const bool same = reads(state) && state.sides[kReader].epoch == epoch;
  const bool sound = same && ring.count == View::kLive && ring.frames == View::kLive;
  if (sound) state.broken = Broken::kNeedless;
  leave(state, kWriter);
}

// ---- R ----

bool PathModel::take_from_ring(State& state) const {
  Side& reader = state.sides[kReader];
  if (!reader.maps || reader.epoch == 0) return false;
  Ring& ring = ring_of(state, kReader);
  if (ring.frames == View::kOnes || ring.taken >= seen_put(ring)) return false;
  const auto seq = static_cast<std::uint8_t>(ring.first + ring.taken++);
  if (seq > state.next) state.broken = rules_.check_head ? Broken::kFalseLie : Broken::kSkipped;
  if (seq == state.next) ++state.next;
  if (reader.path == Path::kAnswered) join(state, kReader);
  return true;
}

void PathModel::drain(State& state) const {
  bool any = false;
  while (take_from_ring(state)) any = true;
  // Nobody reads our count any more.
  if (any && state.sides[kReader].path == Path::kLeaving) send_ack(state, {}, false);
}

// One at a time; another one is as good as lost.
void PathModel::send_ack(State& state, Ping echo, bool gap) const {
  if (state.ack.ack == 0 && !state.sides[kWriter].dead) state.ack = {state.next, echo, gap};
}

void PathModel::take_frame(State& state, std::uint8_t seq) const {
  state.frames &= static_cast<std::uint8_t>(~(1 << seq));
  if (seq > state.next && rules_.drain_when_ahead && reads(state)) drain(state);
  const bool ahead = seq > state.next;
  if (seq == state.next) ++state.next;
  if (!ahead || world_.gaps) send_ack(state, {}, ahead);
}

void PathModel::take_ping(State& state, Ping ping) const {
  if (rules_.drain_for_ping && reads(state)) drain(state);
  if (rules_.count_for_ping && reads(state)) publish(state);
  send_ack(state, ping, false);
}

void PathModel::reader_steps(const State& state, Steps<State>& out) const {
  if (!reads(state)) return;
  State next = state;
  if (take_from_ring(next)) {
    out.protocol("R takes from the ring", next);
  } else if (publish(next)) {
    out.protocol("R counts", next);
  }
}

// ---- The fabric ----

void PathModel::lose(const State& state, Steps<State>& out) const {
  if (state.losses == 0) return;
  State next = state;
  --next.losses;
  out.fault("a message is lost", next);
}

void PathModel::frame_steps(const State& state, Steps<State>& out) const {
  for (std::uint8_t seq = 1; seq <= goodbye(); ++seq) {
    if ((state.frames & (1 << seq)) == 0) continue;
    State next = state;
    next.frames &= static_cast<std::uint8_t>(~(1 << seq));
    lose(next, out);
    take_frame(next, seq);
    out.protocol("R reads a frame", next);
  }
  if (state.ping.number != 0) {
    State next = state;
    next.ping = {};
    lose(next, out);
    take_ping(next, state.ping);
    out.protocol("R reads PING", next);
  }
  if (state.ack.ack != 0) {
    State next = state;
    next.ack = {};
    lose(next, out);
    take_ack(next, state.ack);
    out.protocol("W reads ACK", next);
  }
}

void PathModel::control_steps(const State& state, Who from, Steps<State>& out) const {
  const Who to = other(from);
  const bool writer = to == kWriter;
  for (std::size_t i = 0; i < state.controls[from].size; ++i) {
    State next = state;
    const auto [kind, epoch] = next.controls[from].take(i);
    lose(next, out);
    switch (kind) {
      case Kind::kOffer:
        refusal(next, to, epoch, out);
        take_offer(next, to, epoch);
        out.protocol(writer ? "W reads OFFER" : "R reads OFFER", next);
        break;
      case Kind::kMapped:
        take_mapped(next, to, epoch);
        out.protocol(writer ? "W reads MAPPED" : "R reads MAPPED", next);
        break;
      default:
        take_left(next, to, epoch, kind == Kind::kLeftToo);
        out.protocol(writer ? "W reads LEFT" : "R reads LEFT", next);
    }
  }
}

}  // namespace xs::model
