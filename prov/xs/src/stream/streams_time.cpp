// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One pass over everything: what arrived, what is due, who has ended.
#include <algorithm>

#include "stream/streams.hpp"
#include "util/log.hpp"

namespace xs::stream {

namespace {
// Passes in a row that found nothing before acknowledgements that could ride along go alone: longer
// than an application takes to answer a message, shorter than anybody's quiet interval.
constexpr unsigned kIdlePasses = 128;
// How long, or for how many such passes (the clock is coarse), a sender's memory is used for eager
// frames without a copy: longer than a large frame travels there and its answer back. A peer that
// is at it acknowledges sooner; one that is not must not hold the sender up.
constexpr unsigned kLendPasses = 4096;
constexpr util::Nanoseconds kLendLongest = 500 * util::kMicrosecond;
// Quiet intervals for the inner provider to let go of a frame that a dead session has left, and of
// one that has arrived another way: that may still be finishing, and ending its lane disturbs
// others.
constexpr unsigned kPatienceWithDead = 2;
constexpr unsigned kPatienceWithLeft = 50;
}  // namespace

void Streams::lane_gone(std::uint32_t lane) noexcept {
  for (auto& [token, session] : sessions_) session->lane_gone(lane, now_);
}

std::uint32_t Streams::new_lane_for(std::uint32_t used) noexcept {
  const std::uint32_t newest = carrier_->newest_lane();
  if (newest != carrier::kHomeLane && newest != used && carrier_->has_place(newest))
    return newest;  // another session in trouble has opened it
  auto lane = carrier_->fresh_lane();
  return lane ? *lane : carrier::kHomeLane;
}

void Streams::list_due(Session& session) noexcept {
  if (session.due_listed_) return;
  session.due_listed_ = true;
  due_.push_back(&session);
}

void Streams::list_owing(Session& session) noexcept {
  if (session.owing_listed_) return;
  session.owing_listed_ = true;
  owing_.push_back(&session);
}

void Streams::list_reader(Session& session) noexcept {
  readers_.add(&session);
  // Nothing may rest in it while nobody looks at all of them, and its writer may say MAPPED.
  hurry();
}

[[gnu::always_inline]] inline Visit Streams::visit_ring(Session& session) noexcept {
  if (!session.path_.reads) return Visit::kOver;
  const unsigned found = session.ring_idle() ? 0 : session.visit_ring(now_);
  if (session.path_.acks_wanted || session.path_.failed) session.run_path(now_);
  return found > 0 ? Visit::kBusy : Visit::kIdle;
}

// Rings tell by themselves of everything that hurries, and a look at the fabric costs a system
// call: as long as nothing comes from there, it is looked at ever more rarely.
bool Streams::far_look_due() noexcept {
  if (readers_.empty()) return true;
  if (far_passes_ > 0) {
    --far_passes_;
    return true;
  }
  return --far_in_ == 0 || now_ != far_at_;
}

[[gnu::noinline]] bool Streams::look_far() noexcept {
  constexpr unsigned kFarLongest = 1024;
  const bool found = carrier_->poll() > 0;
  if (found)
    far_interval_ = 1;
  else if (far_passes_ == 0)
    far_interval_ = std::min(2 * far_interval_, kFarLongest);
  far_in_ = far_interval_;
  far_at_ = now_;
  return found;
}

// With rings, a pass is little more than a look at those that were busy lately.
void Streams::progress() noexcept {
  constexpr unsigned kPassesPerTime = 8;  // the clock is coarse, too
  if (readers_.empty() || far_passes_ > 0 || ++passes_ % kPassesPerTime == 0) now_ = clock_.now();
  const bool found =
      readers_.visit([this](Session& session) noexcept { return visit_ring(session); });
  looked_far_ = far_look_due();
  const bool came = looked_far_ && look_far();
  if (!due_.empty()) run_due();
  if (looked_far_) run_times(found || came);
  if (!dead_.empty()) bury();
}

[[gnu::noinline]] void Streams::run_times(bool busy) noexcept {
  if (busy) {
    idle_passes_ = 0;
  } else {
    if (++idle_passes_ == kIdlePasses || ack_when_idle_) flush_owing();
    ack_when_idle_ = false;
    if (idle_passes_ == kLendPasses) lent_until_ = now_;
  }
  if (!lent_.empty() && now_ >= lent_until_) run_lent();
  if (now_ >= tick_at_) tick();
}

[[gnu::noinline]] void Streams::run_due() noexcept {
  // Sessions may list themselves again meanwhile: those are run in the next pass.
  const std::size_t count = due_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Session& session = *due_[i];
    session.due_listed_ = false;
    if (session.state() == SessionState::kDead) continue;
    session.run_path(now_);
    if (session.state() == SessionState::kDead) continue;
    if (session.hello_in_ > 0) session.try_hello(now_);
    if (session.unsent()) session.pump(now_);
    if (session.owed_.now) session.flush_ack();
    if (session.window_wanted_ && session.can_send()) {
      session.window_wanted_ = false;
      upper_.window_opened(session);
    }
    if (session.owed_.now || session.unsent() || session.waits_for_ring() || session.hello_in_ > 0)
      list_due(session);
  }
  due_.erase(due_.begin(), due_.begin() + static_cast<std::ptrdiff_t>(count));
}

void Streams::tell_card() noexcept {
  const proto::Address place = inner_.place();
  for (auto& [token, session] : sessions_) {
    session->leave_lost_address(place);
    session->card_changed(now_);
  }
}

bool Streams::peers_know_card() const noexcept {
  return std::ranges::none_of(sessions_, [](const auto& each) {
    return each.second->open() && each.second->path().card_news;
  });
}

void Streams::flush_owing() noexcept {
  for (Session* session : owing_) {
    session->owing_listed_ = false;
    if (session->owed_.frames == 0) continue;
    session->flush_ack();
    if (session->owed_.frames > 0) {
      session->owed_.now = true;
      list_due(*session);
    }
  }
  owing_.clear();
}

void Streams::list_lent(Session& session) noexcept {
  if (session.lent_listed_) return;
  session.lent_listed_ = true;
  if (lent_.empty()) lent_until_ = now_ + kLendLongest;
  due_at(lent_until_);  // for who sleeps until something is due
  lent_.push_back(&session);
}

void Streams::run_lent() noexcept {
  lent_until_ = now_ + kLendLongest;
  std::erase_if(lent_, [](Session* session) {
    session->lent_listed_ = session->keep_copies();
    return !session->lent_listed_;
  });
}

void Streams::tick() noexcept {
  tick_at_ = util::kNever;
  util::Nanoseconds next = util::kNever;
  // Lanes and sessions may come and go while sessions tick; sessions end only at bury(), new ones
  // set tick_at_.
  ticking_.clear();
  for (auto& [token, session] : sessions_) ticking_.push_back(session.get());
  for (Session* session : ticking_) next = std::min(next, session->tick(now_));
  due_at(next);
  if (now_ >= let_go_at_) retire_overdue();
  due_at(let_go_at_);
  if (now_ >= remind_at_) {
    remind_at_ = util::kNever;
    upper_.reminded(now_);
  }
  due_at(remind_at_);
}

void Streams::expect_let_go(FrameBuffer& frame) noexcept {
  frame.let_go_by =
      now_ + (frame.outcome != 0 ? kPatienceWithDead : kPatienceWithLeft) * limits_.quiet;
  let_go_at_ = std::min(let_go_at_, frame.let_go_by);
  due_at(let_go_at_);
}

void Streams::retire_overdue() noexcept {
  for (;;) {
    const auto found = carrier_->overdue(now_);
    let_go_at_ = found.next;
    if (!found.lane) return;
    log(util::Level::kInfo, "lane %u does not let go of what was sent by it", *found.lane);
    carrier_->retire(*found.lane);
  }
}

// Sessions that ended since the last pass go now, when nobody above or below holds them.
[[gnu::noinline]] void Streams::bury() noexcept {
  for (std::size_t i = 0; i < dead_.size(); ++i) {
    const auto found = sessions_.find(dead_[i]);
    if (found == sessions_.end()) continue;
    Session* session = found->second.get();
    std::erase(due_, session);
    std::erase(owing_, session);
    std::erase(lent_, session);
    readers_.remove(session);
    if (const auto home = current_.find(session->home());
        home != current_.end() && home->second == session)
      current_.erase(home);
    last_ = nullptr;
    remember_ended(dead_[i]);
    sessions_.erase(found);
  }
  dead_.clear();
}

}  // namespace xs::stream
