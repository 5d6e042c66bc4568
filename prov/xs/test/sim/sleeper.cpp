// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/sleeper.hpp"

#include <algorithm>

#include "sim/fake/inner.hpp"

namespace xs::sim {

bool Sleeper::arm(core::Endpoint& endpoint, const FakeHv* hv, const std::function<void()>& between,
                  const std::function<bool()>& empty) {
  constexpr int kPasses = 4;
  hv_ = hv;
  kicked_ = false;
  endpoint.before_sleep();
  for (int pass = 0; pass < kPasses && !asleep_; ++pass) {
    endpoint.progress();
    between();
    asleep_ = endpoint.may_sleep();
  }
  if (asleep_) due_ = endpoint.due();
  return asleep_ = asleep_ && empty();
}

void Sleeper::leaving(const core::Endpoint& endpoint, bool filled) noexcept {
  if (filled || !endpoint.settled())
    kicked_ = true;
  else
    due_ = std::min(due_, endpoint.due());
}

template <class F>
void Sleeper::each_endpoint(F&& f) const noexcept {
  for (const auto& [address, endpoint] : network_.listeners())
    if (endpoint->process() == process_) f(*endpoint);
}

Nanoseconds Sleeper::wakes_at() const noexcept {
  if (kicked_) return 0;
  Nanoseconds first = std::min(timer(), hv_ ? hv_->readable_at() : util::kNever);
  each_endpoint([&](const FakeEndpoint& each) {
    if (watched_.contains(each.wait_descriptor())) first = std::min(first, each.readable_at());
  });
  return first;
}

Nanoseconds Sleeper::arrived_at() const noexcept {
  Nanoseconds first = util::kNever;
  each_endpoint([&](const FakeEndpoint& each) {
    first = std::min(first, each.ended_at());
    if (const Nanoseconds at = each.readable_at(); at > 0) first = std::min(first, at);
  });
  return first;
}

}  // namespace xs::sim
