// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-sim --connections: processes that listen, connect, talk and part (docs/connections.md), in the
// scenarios and the weather of sim/scenario.hpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sim/connect/party.hpp"

namespace xs::sim {

// What runs came to.
struct ConnectTally {
  Attempts::Count attempts;
  std::uint64_t steps = 0, deaths = 0, joined = 0, by_ring = 0, moves = 0, faults = 0;

  void add(const ConnectTally& other) noexcept;
  bool saw_everything() const noexcept {
    return attempts.connected > 0 && attempts.failed > 0 && attempts.over > 0 && deaths > 0 &&
           joined > 0 && by_ring > 0 && moves > 0;
  }
};

class Connections final : private NetworkObserver, private FakeHypervisor::Observer {
 public:
  Connections(std::uint64_t seed, bool tracing);
  ~Connections();
  // The first thing that went wrong; empty: nothing did.
  std::string run(ConnectTally& tally);

 private:
  void arrives(ProcessId process, Nanoseconds at) noexcept override;
  void stirs(ProcessId process, Nanoseconds at) noexcept override { arrives(process, at); }
  void touches(const void*, std::size_t, bool) noexcept override {}
  void carried(const char* what, const proto::Address& at, const proto::Address& far, bool tagged,
               std::span<const std::byte> bytes) noexcept override;
  void stopped(const proto::Address&) noexcept override {}
  void misused(const char* what) noexcept override;

  void turn();
  void look_at_phases();
  bool still_known();
  std::string who_hangs() const;
  void begin_party(unsigned member);
  template <class F>
  bool all(F&& holds) const;

  // The weather
  void blow();
  void hurt_connection();
  void hurt_host();
  void kill_or_begin();
  void hurt_rings();
  void still() noexcept;

  Scenario scenario_;
  Dice dice_;
  FakeNetwork network_;
  Judge judge_;
  FakeHypervisor machine_;
  Attempts attempts_;
  Scene scene_;
  std::vector<std::unique_ptr<Party>> parties_;    // by member
  std::vector<std::unique_ptr<Party>> graveyard_;  // killed ones
  ProcessId lives_ = 0;
  Nanoseconds began_;
  Nanoseconds next_event_;
  Nanoseconds idle_since_ = 0;  // nobody has to do with anybody; 0: somebody has
  bool stormy_ = true;
  ConnectTally tally_;
};

}  // namespace xs::sim
