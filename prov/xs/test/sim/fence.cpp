// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations that wait until all before them, to the same peer, have ended, and whether they did.
#include <algorithm>

#include "sim/process.hpp"

namespace xs::sim {

// Its place in the order of the calls, before the call: it may end within.
void Process::line_up(Action& action, unsigned to) {
  action.to = to;
  action.place = ++places_;
  const unsigned chance = scenario_.fence_percent;
  if (chance > 0 && fence_dice_.percent(chance)) action.flags |= core::kOpFence;
}

const Process::Action* Process::open_before(std::uint64_t place, unsigned to) const {
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const Action* each) {
    return each->place > 0 && each->place < place && each->to == to;
  });
  return found == open_.end() ? nullptr : *found;
}

// It was accepted.
void Process::given(const Action& action) {
  if (!(action.flags & core::kOpFence)) return;
  ++outcome_.fenced;
  if (open_before(action.place, action.to) && send_queue_.empty()) ++outcome_.held;
}

// It has succeeded: its queue told of all before it first.
void Process::judge_fence(const Action& action) {
  if (!(action.flags & core::kOpFence)) return;
  if (const Action* const other = open_before(action.place, action.to))
    judge_.fail("life %lu: operation %lu, with a fence, is done before operation %lu to member %u",
                life_.number, action.place, other->place, action.to);
}

// Something with a fence is at its target. What stands in our queue has ended, though we have not
// heard of it: so only who has heard of everything can be judged.
void Process::judge_start(std::uint64_t place, unsigned to) const {
  if (!send_queue_.empty()) return;
  if (const Action* const other = open_before(place, to))
    judge_.fail(
        "life %lu: operation %lu, with a fence, is under way beside operation %lu to "
        "member %u",
        life_.number, place, other->place, to);
}

// A message has come.
void Process::judge_arrival(const Message& message) const {
  const Process& sender = *(*others_)[message.sender->member];
  if (message.fenced > 0 && &sender.life_ == message.sender)
    sender.judge_start(message.fenced, member_);
}

// A write that tells of itself has.
void Process::judge_arrival(std::uint64_t write) const {
  for (const auto& other : *others_)
    for (const Action& action : other->actions_)
      if (action.kind == Kind::kWrite && action.id == write && (action.flags & core::kOpFence))
        other->judge_start(action.place, member_);
}

}  // namespace xs::sim
