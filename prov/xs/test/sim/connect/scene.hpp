// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include "sim/connect/attempt.hpp"
#include "sim/fake/hypervisor.hpp"
#include "sim/fake/network.hpp"
#include "sim/scenario.hpp"

namespace xs::sim {

// What the processes of a run share.
struct Scene {
  const Scenario& scenario;
  FakeNetwork& network;
  FakeHypervisor& machine;
  Judge& judge;
  Attempts& attempts;
  // Nothing has befallen anybody, and nothing will.
  bool calm() const noexcept { return is_calm(scenario); }
  proto::Address listener_of(unsigned member) const noexcept {
    return FakeNetwork::address(scenario.members[member].host, scenario.members[member].port);
  }
};

}  // namespace xs::sim
