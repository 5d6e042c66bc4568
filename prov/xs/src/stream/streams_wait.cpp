// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a sleeper has to know of the streams. docs/waits.md.
#include <algorithm>

#include "stream/streams.hpp"

namespace xs::stream {

namespace {
constexpr util::Nanoseconds kSoon = util::kMillisecond;  // a post that found no room
}  // namespace

util::Nanoseconds Streams::due() const noexcept {
  const util::Nanoseconds soon = now_ + kSoon;
  util::Nanoseconds when = tick_at_;
  if (!owing_.empty() || !dead_.empty()) when = std::min(when, soon);
  for (Session* session : due_) when = std::min(when, session->retry_at(soon));
  const util::Nanoseconds retry = carrier_->retry_after();
  return retry == util::kNever ? when : std::min(when, now_ + retry);
}

// What stands in a ring the peer can take without us, what stood in one that was left it can't.
bool Streams::restless() const noexcept {
  return sending() || std::ranges::any_of(sessions_, [](const auto& each) {
           const Session& session = *each.second;
           return session.open() && !session.writes_ring() && session.unacknowledged() > 0;
         });
}

bool Streams::may_sleep() noexcept {
  bool may = carrier_->may_sleep();
  readers_.for_each([&](Session& session) { may = session.arm_ring() && may; });
  return may;
}

// As armed as may_sleep() left them.
bool Streams::settled() const noexcept {
  bool settled = carrier_->settled();
  readers_.for_each([&](const Session& session) { settled = settled && session.ring_settled(); });
  return settled;
}

// A frame that the inner provider still has goes on when that lets go of it, which wakes.
util::Nanoseconds Session::retry_at(util::Nanoseconds soon) noexcept {
  if (owed_.now || (window_wanted_ && can_send())) return soon;
  // The peer rings when it has taken something.
  if (path_.writes) return path_.failed ? soon : util::kNever;
  if (!unsent() || (slot(cursor_) && slot(cursor_)->under_way)) return util::kNever;
  return std::max(pump_at_, soon);
}

}  // namespace xs::stream
