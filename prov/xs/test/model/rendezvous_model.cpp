// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "rendezvous_model.hpp"

namespace xs::model {

RendezvousModel::State RendezvousModel::initial() const {
  State state{};
  state.lane = state.route = 1;
  state.losses = world_.losses;
  state.stalls = world_.stalls;
  state.moves = world_.moves;
  return state;
}

bool RendezvousModel::complete(const State& state) const {
  return state.released && state.phase == Phase::kDone && state.sent_taken;
}

const char* RendezvousModel::broken(const State& state) {
  switch (state.broken) {
    case Broken::kNone:
      return "";
    case Broken::kStopped:
      return "a bulk message without a receive stopped the lane";
    case Broken::kLateWrite:
      return "the user's memory was written after completion or beside DATA";
    case Broken::kFreedEarly:
      return "the user got a buffer back that is still being sent";
    case Broken::kFalseLie:
      return "an honest peer was called a liar";
  }
  return "unknown";
}

void RendezvousModel::steps(const State& state, Steps<State>& out) const {
  sender_steps(state, out);
  receiver_steps(state, out);
  inner_steps(state, out);
  if (rules_.retire_lane) retirements(state, out);
  faults(state, out);
}

// FIN came, or the inner provider let go: the user gets the buffer back when both hold.
void RendezvousModel::release(State& state) const {
  const bool held = state.send != Inner::kIdle;
  if (!state.finished || (held && rules_.release_after_let_go)) return;
  if (held) state.broken = Broken::kFreedEarly;
  state.released = true;
}

void RendezvousModel::let_go_of_send(State& state, bool failed) const {
  state.send = Inner::kIdle;
  state.send_stalled = false;
  if (rules_.always_sent || !failed) {
    state.to_receiver.push(failed ? Kind::kSentFailed : Kind::kSent);
  }
  release(state);
}

void RendezvousModel::take_at_sender(State& state, Kind frame) const {
  switch (frame) {
    case Kind::kCtsBulk:
      if (state.route != 1 && rules_.lane_in_cts) return let_go_of_send(state, true);
      state.send = Inner::kPosted;
      state.send_lane = state.route;
      break;
    case Kind::kCtsStream:
      state.data_left = kDataFrames;
      break;
    case Kind::kFin:
      state.finished = true;
      release(state);
      break;
    default:
      break;
  }
}

void RendezvousModel::sender_steps(const State& state, Steps<State>& out) const {
  if (!state.to_sender.empty() && !state.to_receiver.full()) {
    State next = state;
    take_at_sender(next, next.to_sender.pop());
    out.protocol("S reads a frame", next);
  }
  if (state.greeting) {  // not of the stream: it may overtake
    State next = state;
    next.greeting = false;
    next.route = 2;
    out.protocol("S reads the re-greeting", next);
  }
  if (state.data_left != 0 && !state.to_receiver.full()) {
    State next = state;
    --next.data_left;
    next.to_receiver.push(Kind::kData);
    out.protocol("S sends DATA", next);
  }
}

void RendezvousModel::take_at_receiver(State& state, Kind frame) const {
  switch (frame) {
    case Kind::kSent:
    case Kind::kSentFailed:
      if (state.phase == Phase::kDone && !rules_.keep_id_until_sent)
        state.broken = Broken::kFalseLie;
      state.sent_taken = true;
      break;
    case Kind::kData:
      if (++state.data_taken < kDataFrames) break;
      state.phase = Phase::kDone;
      state.to_sender.push(Kind::kFin);
      break;
    default:
      break;
  }
}

bool RendezvousModel::may_take_back(const State& state) const {
  if (state.phase != Phase::kBulk || !state.cts_sent || state.receive == Inner::kIdle) return false;
  return state.receive == Inner::kFailed || (state.sent_taken && rules_.take_back);
}

bool RendezvousModel::may_try_again(const State& state) const {
  if (state.phase != Phase::kTakingBack) return false;
  return (state.sent_taken || !rules_.wait_for_sent) &&
         (state.receive == Inner::kIdle || !rules_.wait_for_let_go);
}

void RendezvousModel::receiver_steps(const State& state, Steps<State>& out) const {
  auto step = [&](const char* label, auto change) {
    State next = state;
    change(next);
    out.protocol(label, next);
  };
  const bool room = !state.to_sender.full();
  if (!state.to_receiver.empty() && room) {
    step("R reads a frame", [&](State& next) { take_at_receiver(next, next.to_receiver.pop()); });
  }
  if (state.phase == Phase::kMatched) {
    step("R posts the inner receive", [](State& next) {
      next.phase = Phase::kBulk;
      next.receive = Inner::kPosted;
    });
  }
  const bool may_send_cts =
      state.phase == Phase::kBulk || (state.phase == Phase::kMatched && !rules_.post_before_cts);
  if (may_send_cts && !state.cts_sent && room && state.lane == 1) {
    step("R sends CTS(bulk)", [](State& next) {
      next.cts_sent = true;
      next.to_sender.push(Kind::kCtsBulk);
    });
  }
  if (may_take_back(state)) {
    step("R takes the inner receive back", [&](State& next) {
      next.phase = Phase::kTakingBack;
      if (next.receive == Inner::kActive) return;  // it can't be cancelled
      next.receive = Inner::kIdle;
      next.scratch = rules_.scratch;
    });
  }
  if (may_try_again(state) && room) {
    step("R sends CTS(stream)", [](State& next) {
      next.phase = Phase::kStream;
      next.to_sender.push(Kind::kCtsStream);
    });
  }
}

// The bulk message has come to its lane.
void RendezvousModel::arrive(State& state) const {
  const bool lost = state.flying == 1 && state.first_lane_closed;
  const bool first = state.flying == 1;
  state.flying = 0;
  if (lost) return;
  if (first && state.receive == Inner::kPosted) {
    state.receive = Inner::kActive;
  } else if (first && state.scratch) {
    state.scratch = false;
  } else {
    state.broken = Broken::kStopped;
  }
}

// All bytes are in the user's buffer.
void RendezvousModel::finish_receive(State& state) const {
  const bool wanted = state.phase == Phase::kBulk || state.phase == Phase::kTakingBack;
  if (!wanted) state.broken = Broken::kLateWrite;
  state.receive = Inner::kIdle;
  state.phase = Phase::kDone;
  state.to_sender.push(Kind::kFin);
}

void RendezvousModel::inner_steps(const State& state, Steps<State>& out) const {
  if (state.send == Inner::kPosted && !state.send_stalled) {
    State next = state;
    next.send = Inner::kActive;
    next.flying = state.send_lane;
    out.protocol("the bulk bytes leave S", next);
  }
  if (state.send == Inner::kActive && !state.to_receiver.full()) {
    State next = state;
    let_go_of_send(next, false);
    out.protocol("the inner provider lets go of S's buffer, S says SENT", next);
  }
  if (state.flying != 0) {
    State next = state;
    arrive(next);
    out.protocol("the bulk message comes to R", next);
  }
  if (state.receive == Inner::kActive && !state.receive_stalled && !state.to_sender.full()) {
    State next = state;
    finish_receive(next);
    out.protocol("the bulk bytes are in", next);
  }
}

void RendezvousModel::close_first_lane(State& state) const {
  state.first_lane_closed = true;
  state.receive_stalled = false;
  state.scratch = false;
  if (state.receive != Inner::kIdle) state.receive = Inner::kFailed;
  if (state.phase == Phase::kTakingBack) state.receive = Inner::kIdle;
}

void RendezvousModel::retirements(const State& state, Steps<State>& out) const {
  if (state.send_stalled && !state.to_receiver.full()) {
    State next = state;
    let_go_of_send(next, true);
    out.protocol("S retires its lane", next);
  }
  if (state.receive_stalled) {
    State next = state;
    if (next.lane == 1) next.greeting = true;
    next.lane = 2;
    close_first_lane(next);
    out.protocol("R retires its lane", next);
  }
}

void RendezvousModel::faults(const State& state, Steps<State>& out) const {
  auto happens = [&](const char* label, std::uint8_t State::*budget, bool possible, auto change) {
    if (state.*budget == 0 || !possible) return;
    State next = state;
    --(next.*budget);
    change(next);
    out.fault(label, next);
  };
  happens("the bulk bytes are lost", &State::losses, state.flying != 0,
          [](State& next) { next.flying = 0; });
  happens("R's receive breaks off", &State::losses, state.receive == Inner::kActive,
          [](State& next) {
            next.receive = next.phase == Phase::kTakingBack ? Inner::kIdle : Inner::kFailed;
            next.receive_stalled = false;
          });
  const bool sending = state.send != Inner::kIdle && !state.to_receiver.full();
  happens("S's send fails, whatever has left", &State::losses, sending,
          [&](State& next) { let_go_of_send(next, true); });
  happens("S's send stalls", &State::stalls, state.send == Inner::kPosted && !state.send_stalled,
          [](State& next) { next.send_stalled = true; });
  happens("R's receive stalls", &State::stalls,
          state.receive == Inner::kActive && !state.receive_stalled,
          [](State& next) { next.receive_stalled = true; });
  happens("R moves to another lane", &State::moves, state.lane == 1 && state.cts_sent,
          [](State& next) {
            next.lane = 2;
            next.greeting = true;
          });
}

}  // namespace xs::model
