// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a sleeper has to know of the lanes. docs/waits.md.
#include <algorithm>

#include "carrier/fabric_carrier.hpp"

namespace xs::carrier {

namespace {
constexpr util::Nanoseconds kBlind = util::kMillisecond;         // a lane without a descriptor
constexpr util::Nanoseconds kRepost = 10 * util::kMillisecond;   // a receive that found no room
constexpr util::Nanoseconds kReopen = 100 * util::kMillisecond;  // the home lane
}  // namespace

void FabricCarrier::set_waits(WaitSet& waits) noexcept {
  waits_ = &waits;
  for (auto& lane : lanes_) {
    unwatch(*lane);
    watch(*lane);
  }
}

void FabricCarrier::watch(Lane& lane) noexcept {
  if (!waits_ || !lane.endpoint) return;
  lane.endpoint->want_waits();
  const int descriptor = lane.endpoint->wait_descriptor();
  if (descriptor >= 0 && waits_->add(descriptor)) lane.watched = descriptor;
}

void FabricCarrier::unwatch(Lane& lane) noexcept {
  if (waits_ && lane.watched >= 0) waits_->remove(lane.watched);
  lane.watched = -1;
}

bool FabricCarrier::may_sleep() noexcept {
  // A sleeper makes few passes: the next one tries to reopen home.
  if (!lanes_.front()->endpoint) reopen_passes_ = kReopenPasses;
  return std::ranges::all_of(
      lanes_, [](const auto& lane) { return !lane->endpoint || lane->endpoint->may_sleep(); });
}

bool FabricCarrier::settled() const noexcept {
  return std::ranges::all_of(
      lanes_, [](const auto& lane) { return !lane->endpoint || lane->endpoint->settled(); });
}

util::Nanoseconds FabricCarrier::retry_after() const noexcept {
  util::Nanoseconds soonest = lanes_.front()->endpoint ? util::kNever : kReopen;
  for (const auto& lane : lanes_) {
    if (!lane->endpoint) continue;
    if (lane->watched < 0) soonest = std::min(soonest, kBlind);
    if (lane->idle_slots > 0) soonest = std::min(soonest, kRepost);
  }
  return soonest;
}

}  // namespace xs::carrier
