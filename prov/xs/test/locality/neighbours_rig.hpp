// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Three processes on two machines of the simulated hypervisor, and what they are told.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "locality/neighbours.hpp"
#include "sim/fake/hv.hpp"

namespace xs::locality::test {

using sim::FakeHv;
using sim::FakeHypervisor;

struct Time final : util::Clock {
  util::Nanoseconds now() noexcept override { return time; }
  util::Nanoseconds time = util::kSecond;
};

// An endpoint that writes down what it is told.
struct Ear final : Listener {
  void neighbour_open(const Process& process, hv::Link& link) noexcept override {
    ++opened;
    last = process;
    newest = &link;
  }
  void neighbour_shares(const Process&) noexcept override { ++shares; }
  void neighbour_lost(const Process& process, hv::Loss why) noexcept override {
    ++lost;
    lost_by_move += why == hv::Loss::kMoved;
    lost_by_pause += why == hv::Loss::kPaused;
    last = process;
  }
  void neighbour_parted(const Process&) noexcept override {
    ++parted;
    if (meets_again) meets_again();
  }
  void budget_changed() noexcept override { ++budgets; }
  void we_moved() noexcept override { ++moves; }
  void we_paused() noexcept override { ++pauses; }
  bool peers_know_card() const noexcept override { return know_card; }
  bool knows(const Process&) noexcept override { return talks; }
  unsigned opened = 0, shares = 0, lost = 0, lost_by_move = 0, moves = 0, budgets = 0;
  unsigned lost_by_pause = 0, pauses = 0;
  unsigned parted = 0;
  std::function<void()> meets_again;
  bool know_card = true, talks = true;
  Process last;
  hv::Link* newest = nullptr;
};

struct Domain {
  Domain(FakeHypervisor& machine, sim::ProcessId process, unsigned host) {
    auto backend = std::make_unique<FakeHv>(machine, process, host);
    hv = backend.get();
    neighbours.emplace(std::move(backend));
    neighbours->add(ear);
  }
  Process name() const { return hv->card().process; }
  // What a greeting would carry.
  CardBytes card() const { return neighbours->card(); }

  FakeHv* hv;
  Ear ear;
  std::optional<Neighbours> neighbours;
};

struct NeighboursTest : testing::Test {
  void TearDown() override {
    for (Domain* each : {&one, &two, &far}) each->neighbours.reset();
    EXPECT_EQ(machine.standing(), FakeHypervisor::Standing{});
  }
  void pass(util::Nanoseconds time = 2 * util::kSecond) {
    clock.time += time;
    for (int i = 0; i < 4; ++i)
      for (Domain* each : {&one, &two, &far})
        if (each->neighbours) each->neighbours->look();
  }
  void introduce() {
    one.neighbours->meet(two.card());
    two.neighbours->meet(one.card());
    pass();
    ASSERT_EQ(one.ear.opened, 1u);
    ASSERT_EQ(two.ear.opened, 1u);
  }

  Time clock;
  FakeHypervisor machine{clock, {}, 1, nullptr};
  Domain one{machine, 1, 0}, two{machine, 2, 0}, far{machine, 3, 1};
};
}  // namespace xs::locality::test
