// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A simulated process that listens, asks others, answers them and talks.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "locality/neighbours.hpp"
#include "sim/connect/door.hpp"
#include "sim/connect/talk.hpp"
#include "sim/fake/hv.hpp"

namespace xs::sim {

class Party {
 public:
  // life: a number that no process has had before.
  Party(const Scene& scene, unsigned member, ProcessId life, std::uint64_t seed);
  ~Party();

  void step();
  Nanoseconds next_step() const noexcept { return next_step_; }
  void wake(Nanoseconds at) noexcept;
  // Computes: nothing moves until then.
  void compute(Nanoseconds until) noexcept { busy_until_ = std::max(busy_until_, until); }
  // Begins nothing new from here on, and ends what there is.
  void settle() noexcept { settles_ = true; }
  // Whether all that it had to do with others is over; then nobody asks it any more either.
  bool idle() const noexcept { return settles_ && talks_.empty() && (!door_ || !door_->waiting()); }
  void leave() noexcept;
  // Whom its listener still knows.
  std::string remembers() const { return door_ ? door_->remembers() : ""; }
  bool over() const noexcept { return dead_ || (leaves_ && talks_.empty() && !door_); }
  // kill -9
  void kill() noexcept;
  bool dead() const noexcept { return dead_; }

  ProcessId life() const noexcept { return life_; }
  FakeHv* hv() const noexcept { return hv_; }
  std::string state() const;
  std::uint64_t joined() const noexcept { return joined_; }
  std::uint64_t by_ring() const noexcept { return by_ring_; }

 private:
  void open_neighbours();
  void act();
  void ask();
  void see_to_requests();
  void answer(Door::Request& request);
  void accept(const Door::Request& request);
  void open_or_close_door();
  void forget_gone();
  Nanoseconds now() const noexcept { return scene_.network.now(); }

  const Scene& scene_;
  unsigned member_;
  ProcessId life_;
  Dice dice_;
  core::Config config_, listening_;
  FakeProvider provider_, public_;  // public_: at the address of the listener
  stream::Rings rings_;
  FakeHv* hv_ = nullptr;
  std::unique_ptr<locality::Neighbours> neighbours_;
  Household house_;
  std::unique_ptr<Door> door_;
  std::vector<std::unique_ptr<Talk>> talks_;
  Nanoseconds next_step_;
  Nanoseconds next_act_;
  Nanoseconds busy_until_ = 0;
  Nanoseconds pause_ = 1000;
  bool settles_ = false;
  bool leaves_ = false;
  bool dead_ = false;
  std::uint64_t joined_ = 0, by_ring_ = 0;
};

}  // namespace xs::sim
