// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/connect/door.hpp"

#include <algorithm>

namespace xs::sim {

Door::Door(const Scene& scene, const core::Config& config, FakeProvider& provider, Dice& dice,
           unsigned member)
    : scene_(scene),
      config_(config),
      dice_(dice),
      member_(member),
      backlog_(scene.calm() ? core::Listener::kBacklog : dice.pick({1u, 3u, 128u})) {
  auto opened = core::Endpoint::open({.config = config,
                                      .inner = provider,
                                      .clock = scene.network,
                                      .random = dice,
                                      .gatekeeper = &listener_});
  if (!opened) {
    scene_.judge.fail("a listener can't be opened");
    return;
  }
  endpoint_ = std::move(*opened);
  if (endpoint_->name() != scene.listener_of(member))
    scene_.judge.fail("the listener of member %u got another address", member);
  listener_.set_backlog(backlog_);
  listener_.listen();
  scene_.attempts.listens(member_, true);
  scene_.judge.trace("member %u listens, %zu at a time", member, backlog_);
}

Door::~Door() = default;

bool Door::requested(const core::ConnectRequest& request) noexcept {
  Attempt* const attempt = scene_.attempts.find(Attempt::number_in(request.data.bytes()));
  if (!attempt || attempt->asked() != member_) {
    scene_.judge.fail("member %u is told of a request that nobody has made", member_);
    return false;
  }
  attempt->requested(request.data.bytes());
  const Nanoseconds now = scene_.network.now();
  const Nanoseconds patience = dice_.percent(80) ? 20 * util::kMillisecond : 3 * util::kSecond;
  offered_.push_back(
      {request.number, attempt, request.id, request.client, now + dice_.below(patience), false});
  if (offered_.back().until > now + util::kSecond) attempt->excuse();
  const auto open = std::ranges::count_if(
      offered_, [&](const Request& each) { return listener_.find(each.number) != nullptr; });
  if (static_cast<std::size_t>(open) > backlog_)
    scene_.judge.fail("member %u has more requests than its backlog", member_);
  return true;
}

void Door::step() {
  if (!endpoint_) return;
  endpoint_->progress();
  if (!closes()) return;
  if (endpoint_->parted() || scene_.network.now() >= closing_since_ + config_.linger)
    endpoint_.reset();
}

Door::Request* Door::due() noexcept {
  const auto found = std::ranges::find_if(
      offered_, [&](const Request& each) { return each.until <= scene_.network.now(); });
  return found == offered_.end() ? nullptr : &*found;
}

bool Door::take(Request& request) noexcept {
  core::ConnectRequest* const found = closes() ? nullptr : listener_.find(request.number);
  if (!found) return false;
  if (found->id != request.id || found->client != request.client || found->taken)
    scene_.judge.fail("a request of member %u has changed", member_);
  found->taken = request.taken = true;
  return true;
}

// A passive endpoint that has been closed has nothing to say.
bool Door::finish(const Request& request) noexcept {
  if (closes()) return true;
  const core::ConnectRequest* const found = listener_.find(request.number);
  if (!found) return false;
  listener_.forget(*found);
  return true;
}

void Door::reject(const Request& request) noexcept {
  core::ConnectRequest* const found = closes() ? nullptr : listener_.find(request.number);
  if (!found) return;
  request.attempt->rejects();
  listener_.refuse(*found, request.attempt->words(Words::kReject));
}

void Door::drop(const Request& request) noexcept {
  std::erase_if(offered_, [number = request.number](auto& each) { return each.number == number; });
}

void Door::begin_to_close() noexcept {
  scene_.judge.trace("member %u listens no more", member_);
  scene_.attempts.listens(member_, false);
  closing_since_ = scene_.network.now();
  std::erase_if(offered_, [](const Request& each) { return !each.taken; });
  endpoint_->part();
}

// Greetings that nobody has proven may stay, up to a bound.
std::string Door::remembers() const {
  std::string who;
  if (!endpoint_ || closes()) return who;
  endpoint_->peers().for_each([&](const core::Peer& peer) {
    if (!peer.self) who = peer.home.text() + (peer.session ? ", with a session" : "");
  });
  return who;
}

}  // namespace xs::sim
