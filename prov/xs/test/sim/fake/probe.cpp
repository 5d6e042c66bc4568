// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/inner.hpp"

namespace xs::sim {

using carrier::ProbeState;

FakeProbe::FakeProbe(FakeNetwork& network, unsigned from, const proto::Address& to,
                     Nanoseconds timeout) noexcept
    : network_(network), to_(to), began_(network.now()), timeout_(timeout) {
  const Nanoseconds there =
      network.arrival(from, FakeNetwork::host_of(to), FakeNetwork::kConnectAgain);
  if (there == util::kNever) return;
  answered_at_ = there + network.habits().latency_low;
  endpoint_ = network.listener(to);
  if (!endpoint_) return;
  process_ = endpoint_->process();
  endpoint_->probed(*this);
}

FakeProbe::~FakeProbe() {
  if (endpoint_) endpoint_->unprobed(*this);
}

// Inner providers forget to close what they accepted but heard nothing from.
void FakeProbe::endpoint_closed() noexcept {
  endpoint_ = nullptr;
  if (!accepted_) closed_ = true;
}

ProbeState FakeProbe::poll() noexcept {
  if (final_ != ProbeState::kWaiting) return final_;
  const Nanoseconds now = network_.now();
  if (now < answered_at_) {
    if (now >= began_ + timeout_) final_ = ProbeState::kSilent;
    return final_;
  }
  if (process_ == 0) return final_ = ProbeState::kRefused;
  if (network_.gone(FakeNetwork::host_of(to_))) {
    if (gone_since_ == 0) gone_since_ = now;
    return now - gone_since_ < timeout_ ? ProbeState::kAlive : final_ = ProbeState::kSilent;
  }
  if (closed_ || !network_.lives(process_)) return final_ = ProbeState::kClosed;
  return ProbeState::kAlive;
}

}  // namespace xs::sim
