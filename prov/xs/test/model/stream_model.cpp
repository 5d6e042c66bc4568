// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream_model.hpp"

#include <algorithm>

namespace xs::model {

StreamModel::State StreamModel::initial() const {
  State state{};
  state.una = state.cursor = state.highest = state.next = 1;
  state.resets = world_.resets;
  state.stalls = world_.stalls;
  state.regreetings = world_.regreetings;
  return state;
}

const char* StreamModel::broken(const State& state) {
  switch (state.broken) {
    case Broken::kNone:
      return "";
    case Broken::kDuplicate:
      return "a frame was taken twice";
    case Broken::kSkipped:
      return "a frame was taken before its predecessor";
    case Broken::kFalseLie:
      return "an honest peer was called a liar";
    case Broken::kReusedBuffer:
      return "a buffer was reused under the inner provider's hands";
    case Broken::kWindow:
      return "more than a window is unacknowledged";
  }
  return "unknown";
}

void StreamModel::steps(const State& state, Steps<State>& out) const {
  if (!state.exited) {
    sender_steps(state, out);
    receiver_steps(state, out);
    inner_steps(state, out);
  }
  deliveries(state, out);
}

bool StreamModel::may_post(const State& state) const {
  if (state.cursor > kGoodbye || state.forward.full()) return false;
  if (rules_.window && state.cursor >= state.una + kWindow) return false;
  for (std::size_t i = state.handed_over; i < state.forward.size; ++i) {
    const Forward& item = state.forward.items[i];
    if (item.kind == Kind::kFrame && item.number == state.cursor) return false;
  }
  return true;
}

bool StreamModel::may_ping(const State& state) const {
  if (!rules_.ping || state.una == state.highest) return false;
  if (world_.peer_talks && !rules_.ping_while_peer_talks && state.next <= kGoodbye) return false;
  // The quiet interval is longer than a post takes: what is before a PING has left our hands.
  return !state.forward.full() && state.handed_over == state.forward.size &&
         !state.forward.holds({Kind::kPing, state.highest});
}

bool StreamModel::may_exit(const State& state) const {
  return rules_.linger ? state.una > kGoodbye : state.highest > kGoodbye;
}

void StreamModel::post(State& state) const {
  state.forward.push({Kind::kFrame, state.cursor++});
  state.highest = std::max(state.highest, state.cursor);
  if (state.highest - state.una > kWindow) state.broken = Broken::kWindow;
}

// The inner provider has copied its next send into the kernel.
void StreamModel::hand_over(State& state) const {
  const Forward item = state.forward.items[state.handed_over++];
  const bool released = item.number < state.una && !rules_.keep_while_posted;
  if (item.kind == Kind::kFrame && released) state.broken = Broken::kReusedBuffer;
}

void StreamModel::replay(State& state, bool again) const {
  if (!rules_.replay_again && again) {
    if (state.replayed == state.una) return;
    state.replayed = state.una;
  }
  state.cursor = state.una;
}

void StreamModel::sender_steps(const State& state, Steps<State>& out) const {
  if (may_post(state)) {
    State next = state;
    post(next);
    out.protocol("A posts the next frame", next);
  }
  if (may_ping(state)) {
    State next = state;
    next.forward.push({Kind::kPing, state.highest});
    out.protocol("A posts PING", next);
  }
  if (may_exit(state)) {
    State next = state;
    next.exited = true;
    breaks(next, "A exits", Step::kProtocol, out);
  }
}

void StreamModel::acknowledge(State& state) const {
  state.backward.push({state.gap_due ? Kind::kGapAck : Kind::kAck, state.next, state.echo});
  state.ack_due = state.gap_due = false;
  state.echo = 0;
  if (state.next > kGoodbye) state.closed = true;
}

void StreamModel::receiver_steps(const State& state, Steps<State>& out) const {
  if (state.backward.full()) return;
  const bool due = state.ack_due || state.gap_due || state.echo != 0;
  const bool talks = world_.peer_talks && state.next <= kGoodbye && state.backward.empty();
  if (due || talks) {
    State next = state;
    acknowledge(next);
    out.protocol(due ? "B posts ACK" : "B posts a frame of its own", next);
  }
  if (state.regreetings != 0) {
    State next = state;
    --next.regreetings;
    next.backward.push({Kind::kHello, state.next, 0});
    out.fault("B greets again", next);
  }
}

void StreamModel::inner_steps(const State& state, Steps<State>& out) const {
  if (!state.stalled && state.handed_over < state.forward.size) {
    State next = state;
    hand_over(next);
    out.protocol("the kernel takes a frame of A", next);
  }
  if (state.stalls != 0 && !state.stalled) {
    State next = state;
    --next.stalls;
    next.stalled = true;
    out.fault("the connection stalls", next);
  }
  if (state.stalled && rules_.retire_stalled) {
    breaks(state, "A retires the stalled connection", Step::kProtocol, out);
  }
  if (state.resets != 0) {
    State next = state;
    --next.resets;
    breaks(next, "the connection breaks", Step::kFault, out);
  }
}

// Any suffix of what is under way is lost; the rest is in the reader's kernel.
void StreamModel::breaks(const State& state, const char* label, Step kind,
                         Steps<State>& out) const {
  for (std::size_t forward = 0; forward <= state.handed_over; ++forward) {
    for (std::size_t backward = 0; backward <= state.backward.size; ++backward) {
      State next = state;
      break_off(next, forward, backward);
      out.add(label, kind, next);
    }
  }
}

void StreamModel::break_off(State& state, std::size_t forward_kept,
                            std::size_t backward_kept) const {
  const bool failed = state.handed_over < state.forward.size;
  state.forward.cut(forward_kept);
  state.backward.cut(backward_kept);
  // What the connection before has not delivered by now is lost with it.
  state.forward_old = state.forward;
  state.backward_old = state.backward;
  state.forward = {};
  state.backward = {};
  state.handed_over = 0;
  state.stalled = false;
  if (failed && rules_.failed_send_replays && !state.exited) replay(state, false);
  if (state.exited) state.backward_old = {};
}

void StreamModel::deliveries(const State& state, Steps<State>& out) const {
  if (!state.forward_old.empty()) {
    State next = state;
    take_at_receiver(next, next.forward_old.pop());
    out.protocol("B reads from the old connection", next);
  }
  if (state.handed_over != 0) {
    State next = state;
    --next.handed_over;
    take_at_receiver(next, next.forward.pop());
    out.protocol("B reads", next);
  }
  if (!state.backward_old.empty()) {
    State next = state;
    take_at_sender(next, next.backward_old.pop());
    out.protocol("A reads from the old connection", next);
  }
  if (!state.backward.empty()) {
    State next = state;
    take_at_sender(next, next.backward.pop());
    out.protocol("A reads", next);
  }
}

void StreamModel::take_frame(State& state, std::uint8_t seq) const {
  if (seq == state.next) {
    ++state.next;
    state.ack_due = true;
  } else if (seq < state.next) {
    if (!rules_.drop_old) state.broken = Broken::kDuplicate;
    state.ack_due = true;
  } else {
    if (!rules_.drop_ahead) state.broken = Broken::kSkipped;
    if (rules_.gap_report) state.gap_due = true;
  }
}

void StreamModel::take_at_receiver(State& state, Forward item) const {
  if (state.closed && !rules_.closed_answers) return;
  if (item.kind == Kind::kFrame) take_frame(state, item.number);
  if (item.kind == Kind::kPing && rules_.ping_is_answered)
    state.echo = std::max(state.echo, item.number);
  if (!state.exited) return;
  state.ack_due = state.gap_due = false;  // nobody is left to hear it
  state.echo = 0;
}

void StreamModel::take_at_sender(State& state, Backward item) const {
  const std::uint8_t limit =
      rules_.limit_is_highest_sent ? state.highest : std::max(state.cursor, state.una);
  if (item.ack > limit || (item.ack < state.una && !rules_.stale_ack_is_old)) {
    state.broken = Broken::kFalseLie;
    return;
  }
  if (item.ack < state.una) return;
  state.una = item.ack;
  state.cursor = std::max(state.cursor, state.una);
  if (item.kind == Kind::kGapAck) replay(state, true);
  if (item.echo > item.ack && rules_.echo_replays) replay(state, true);
  if (item.kind == Kind::kHello && rules_.regreeting_replays) replay(state, false);
}

}  // namespace xs::model
