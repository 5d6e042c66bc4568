// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/connect/party.hpp"

#include <algorithm>

namespace xs::sim {

namespace {
constexpr std::size_t kMostTalks = 5;
constexpr Nanoseconds kShortestPause = 1'000;
constexpr Nanoseconds kLongestPause = 10 * util::kMillisecond;
constexpr Nanoseconds kBetweenActs = 4 * util::kMillisecond;

core::Config for_listeners(core::Config config) {
  config.ring_size = 0;
  return config;
}
}  // namespace

Party::Party(const Scene& scene, unsigned member, ProcessId life, std::uint64_t seed)
    : scene_(scene),
      member_(member),
      life_(life),
      dice_(seed),
      config_(scene.scenario.members[member].config),
      listening_(for_listeners(config_)),
      provider_(scene.network, life, scene.scenario.members[member].host, 0),
      public_(scene.network, life, scene.scenario.members[member].host,
              scene.scenario.members[member].port),
      house_{config_, provider_, dice_, nullptr, rings_},
      next_step_(now() + dice_.below(100'000)),
      next_act_(next_step_) {
  open_neighbours();
  scene_.judge.trace("life %lu: member %u", life, member);
  open_or_close_door();
}

Party::~Party() = default;

void Party::open_neighbours() {
  const Member& member = scene_.scenario.members[member_];
  if (!member.place) return;
  rings_.limits = {
      .first = config_.ring_size, .largest = config_.ring_largest, .memory = config_.ring_memory};
  auto backend = std::make_unique<FakeHv>(scene_.machine, life_, *member.place);
  hv_ = backend.get();
  neighbours_ = std::make_unique<locality::Neighbours>(std::move(backend));
  house_.neighbours = neighbours_.get();
}

// ---- What it does ----

void Party::step() {
  if (now() < busy_until_) {
    next_step_ = busy_until_;
    return;
  }
  const bool patient = busy_until_ == 0 || now() > busy_until_ + util::kSecond;
  if (now() >= next_act_) act();
  for (const auto& talk : talks_) talk->step(patient);
  if (door_) door_->step();
  see_to_requests();
  forget_gone();
  pause_ = std::min(pause_ + pause_ / 4 + 1, settles_ ? 10 * kLongestPause : kLongestPause);
  next_step_ = now() + dice_.between(pause_ / 2 + 1, pause_ + 1);
  if (over()) next_step_ = util::kNever;
}

void Party::wake(Nanoseconds at) noexcept {
  if (over()) return;
  pause_ = kShortestPause;
  next_step_ = std::min(next_step_, std::max({at + dice_.below(2'000), now() + 1, busy_until_}));
}

void Party::act() {
  next_act_ = now() + dice_.between(1, (settles_ ? 20 : 2) * kBetweenActs);
  if (!settles_) {
    pause_ = kShortestPause;
    if (dice_.percent(15)) ask();
    if (dice_.percent(1) || (!door_ && dice_.percent(20))) open_or_close_door();
  }
  for (const auto& talk : talks_)
    if (settles_ || dice_.percent(50)) talk->act(settles_);
}

void Party::ask() {
  if (talks_.size() >= kMostTalks) return;
  const auto whom = static_cast<unsigned>(dice_.below(scene_.scenario.members.size()));
  Attempt& attempt = scene_.attempts.begin(whom);
  talks_.push_back(std::make_unique<Talk>(scene_, house_, attempt, kClient));
  talks_.back()->ask();
}

void Party::open_or_close_door() {
  if (!door_)
    door_ = std::make_unique<Door>(scene_, listening_, public_, dice_, member_);
  else if (!door_->closes())
    door_->begin_to_close();
}

// ---- Who asks ----

void Party::see_to_requests() {
  if (!door_) return;
  while (Door::Request* const request = door_->due()) answer(*request);
  if (door_->closed() && door_->waiting() == 0) door_.reset();
}

void Party::answer(Door::Request& request) {
  if (!request.taken) {
    const bool takes = !dice_.percent(15) && talks_.size() < 2 * kMostTalks;
    if (takes && door_->take(request)) {
      request.until = now() + dice_.below(dice_.percent(80) ? 1 : 50 * util::kMillisecond);
      return;
    }
    door_->reject(request);
  } else if (dice_.percent(5)) {
    door_->reject(request);
  } else if (door_->finish(request)) {
    accept(request);
  }
  door_->drop(request);
}

void Party::accept(const Door::Request& request) {
  talks_.push_back(std::make_unique<Talk>(scene_, house_, *request.attempt, kServer));
  talks_.back()->answer(request.id, request.client);
}

// ---- Its end ----

void Party::forget_gone() {
  std::erase_if(talks_, [&](const auto& talk) {
    if (!talk->gone()) return false;
    joined_ += talk->joined();
    by_ring_ += talk->by_ring();
    return true;
  });
}

void Party::leave() noexcept {
  if (std::exchange(leaves_, true)) return;
  if (door_ && !door_->closes()) door_->begin_to_close();
  wake(now());
}

void Party::kill() noexcept {
  scene_.judge.trace("life %lu is killed", life_);
  scene_.network.died(life_);
  if (hv_) hv_->kill();
  hv_ = nullptr;
  scene_.attempts.listens(member_, false);
  for (const auto& talk : talks_) talk->kill();
  forget_gone();
  door_.reset();
  neighbours_.reset();
  dead_ = true;
  next_step_ = util::kNever;
}

std::string Party::state() const {
  std::string text = "member " + std::to_string(member_) + " has " + std::to_string(talks_.size()) +
                     " endpoints" + (door_ ? " and listens" : "");
  for (const auto& talk : talks_) text += ", " + talk->state();
  return text;
}

}  // namespace xs::sim
