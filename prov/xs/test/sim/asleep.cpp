// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A simulated process that sleeps, and its other threads that don't.
#include <algorithm>

#include "sim/process.hpp"

namespace xs::sim {

namespace {
constexpr unsigned kWideAwake = 50;  // times that a process could have slept, but can't yet
constexpr Nanoseconds kBetweenCalls = 20 * util::kMillisecond;  // of a thread that drains
constexpr Nanoseconds kBlind = util::kMillisecond;  // between looks at what has no descriptor
}  // namespace

void Process::arm() {
  const Sleep sleep = scenario_.members[member_].sleep;
  if (sleep == Sleep::kNever || phase_ == Phase::kParting) return;
  if (sleep == Sleep::kLater && ++sleeps_ < kWideAwake) return;
  rings_.limits.sleeps = true;
  if (!scenario_.wakeful) return fall_asleep();
  endpoint_->before_sleep();
  endpoint_->progress();
  endpoint_->may_sleep();
}

void Process::fall_asleep() {
  if (!std::exchange(watching_, true)) endpoint_->set_waits(sleeper_);
  const auto empty = [this] { return !send_queue_.has(1) && !receive_queue_.has(1); };
  sleeper_.arm(
      *endpoint_, hv_, [this] { interrupt(); }, empty);
  expect_nobody();
  slept_at_ = now();
  lateness_ = 1 + dice_.below(2'000);
  app_at_ = phase_ == Phase::kWorking ? next_act_ : now() + kBetweenCalls;
}

// Between progress and the last look others go on; in --fine runs also in the middle of that look.
void Process::interrupt() {
  expect_nobody();
  if (dice_.percent(30)) around_.elsewhere.meanwhile(*this);
  if (scenario_.fine && hv_ && dice_.percent(3)) expect_visit();
}

void Process::expect_visit() {
  constexpr std::uint64_t kMostLater = 60;  // instructions: a look, and what follows from it
  const auto later = static_cast<unsigned>(dice_.below(kMostLater));
  for (FakeMapping* mapping : around_.machine.mappings())
    if (mapping->reader() == hv_->number()) mapping->set_visit(&visit_, later);
}

void Process::expect_nobody() noexcept {
  if (!scenario_.fine || !hv_) return;
  for (FakeMapping* mapping : around_.machine.mappings())
    if (mapping->reader() == hv_->number()) mapping->cancel_visit();
}

Nanoseconds Process::wakes_at() const noexcept {
  const Nanoseconds at = sleeper_.wakes_at();
  return at == util::kNever ? at : std::max(at, slept_at_) + lateness_;
}

Nanoseconds Process::next_step() const noexcept {
  if (!sleeper_.asleep()) return next_step_;
  return std::max({std::min(app_at_, wakes_at()), slept_at_ + 1, busy_until_});
}

bool Process::awake() const noexcept {
  return phase_ != Phase::kOver && busy_until_ <= now() && !sleeper_.asleep();
}

void Process::act_beside() {
  if (phase_ == Phase::kWorking && now() >= next_act_)
    act();
  else if (phase_ == Phase::kDraining)
    drain();
  stop_if_done();
  app_at_ = phase_ == Phase::kWorking ? std::max(next_act_, now() + 1) : now() + kBetweenCalls;
  if (phase_ == Phase::kParting) {
    sleeper_.wake();
    next_step_ = now() + 1;
  } else {
    sleeper_.leaving(*endpoint_, send_queue_.has(1) || receive_queue_.has(1));
  }
}

// Of the inner provider everything is seen as soon as it is there, or after a blind lane's pause.
void Process::judge_wake() {
  const Nanoseconds arrived = sleeper_.arrived_at();
  if (arrived > now()) return;
  const Nanoseconds since = std::max({arrived, slept_at_, busy_until_});
  if (now() - since > kBlind + scenario_.grain + lateness_)
    judge_.fail("member %u slept %lu ns with something of the inner provider's to be looked at",
                member_, now() - since);
}

}  // namespace xs::sim
