// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A simulated process asleep: what the C face does before it waits in epoll, and what wakes it
// there (docs/waits.md). Instead of descriptors there are points in time.
#pragma once
#include <functional>
#include <set>

#include "core/endpoint.hpp"
#include "core/inner.hpp"
#include "sim/fake/hv.hpp"
#include "sim/fake/network.hpp"

namespace xs::sim {

class Sleeper final : public core::WaitSet {
 public:
  Sleeper(FakeNetwork& network, ProcessId process, Nanoseconds grain) noexcept
      : network_(network), process_(process), grain_(grain) {}

  bool add(int descriptor) noexcept override { return watched_.insert(descriptor).second; }
  void remove(int descriptor) noexcept override { watched_.erase(descriptor); }

  // As abi::Waits::arm. True: asleep from now on, and woken by what is armed alone. between: before
  // each look of the endpoint's at what it has armed. empty: nothing is in the queues. hv: the
  // neighbours' backend, perhaps null.
  bool arm(core::Endpoint& endpoint, const FakeHv* hv, const std::function<void()>& between,
           const std::function<bool()>& empty);
  bool asleep() const noexcept { return asleep_; }
  // Somebody else has called meanwhile; as abi::Waits::leaving. filled: the queues have something.
  void leaving(const core::Endpoint& endpoint, bool filled) noexcept;
  // When something that was armed wakes it.
  Nanoseconds wakes_at() const noexcept;
  // Since when something of the inner provider's has been there to be looked at, watched or not, as
  // far as that is known.
  Nanoseconds arrived_at() const noexcept;
  void wake() noexcept { asleep_ = false; }

 private:
  template <class F>
  void each_endpoint(F&& f) const noexcept;
  // Not before the endpoint's clock shows that time.
  Nanoseconds timer() const noexcept { return due_ == util::kNever ? due_ : due_ + grain_; }

  FakeNetwork& network_;
  ProcessId process_;
  Nanoseconds grain_;  // of the clock that the endpoint reads
  std::set<int> watched_;
  const FakeHv* hv_ = nullptr;
  Nanoseconds due_ = util::kNever;
  bool kicked_ = false;
  bool asleep_ = false;
};

}  // namespace xs::sim
