// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes of one simulated machine, or of several, each with one endpoint, over a network of
// known latency, while the clock that they look at stands still, as a coarse one does for
// milliseconds.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "core/rig.hpp"
#include "sim/fake/hv.hpp"
#include "sim/fake/inner.hpp"

namespace xs::core::test {

using sim::FakeHv;
using sim::FakeHypervisor;
using sim::FakeNetwork;
using sim::FakeProvider;
using util::Nanoseconds;

inline constexpr Nanoseconds kLatency = 10 * util::kMicrosecond;  // one way
inline constexpr Nanoseconds kRoundTrip = 2 * kLatency;
inline constexpr Nanoseconds kTold = util::kMicrosecond;  // until hv can tell what a neighbour did

struct Nobody final : sim::NetworkObserver {
  void arrives(sim::ProcessId, Nanoseconds) noexcept override {}
  void touches(const void*, std::size_t, bool) noexcept override {}
  void carried(const char*, const proto::Address&, const proto::Address&, bool,
               std::span<const std::byte>) noexcept override {}
  void stopped(const proto::Address&) noexcept override {}
  void misused(const char* what) noexcept override { ADD_FAILURE() << what; }
};

struct Machine {
  Nobody nobody;
  FakeNetwork network{{.latency_low = kLatency, .latency_high = kLatency}, 1, nobody};
  FakeHypervisor hypervisor{network, {.delay_low = kTold, .delay_high = kTold}, 1, nullptr};
  ManualClock clock;  // stands still
};

// A process with one endpoint.
struct Process {
  Process(Machine& machine, unsigned number, PathObserver* observer = nullptr)
      : provider(machine.network, number, number, 7000),
        random(number),
        hv(new FakeHv(machine.hypervisor, number, 0)),
        neighbours(std::unique_ptr<FakeHv>(hv)) {
    rings.limits = {
        .first = config.ring_size, .largest = config.ring_largest, .memory = config.ring_memory};
    auto opened = Endpoint::open({.config = config,
                                  .inner = provider,
                                  .clock = machine.clock,
                                  .random = random,
                                  .send_queue = &queue,
                                  .receive_queue = &queue,
                                  .book = &book,
                                  .neighbours = &neighbours,
                                  .rings = &rings,
                                  .observer = observer,
                                  .exposed = {&shared, kReadable | kWritable}});
    EXPECT_TRUE(opened);
    endpoint = std::move(*opened);
    book.attach(*endpoint);
  }
  ~Process() {
    if (endpoint) book.detach(*endpoint);
  }

  void send(Process& to, std::size_t size = 8) {
    const struct iovec iov { memory.data(), size };
    const SendOp op{.iov = std::span(&iov, 1),
                    .to = book.insert(to.endpoint->name()),
                    .tag = 1,
                    .data = 0,
                    .flags = kOpTagged,
                    .context = nullptr};
    EXPECT_EQ(endpoint->send(op), Status::kOk);
  }
  stream::Session* session_with(const Process& other) {
    Peer* const peer = endpoint->peers().at(other.endpoint->name());
    return peer ? peer->session : nullptr;
  }
  bool open_with(const Process& other) {
    return session_with(other) && session_with(other)->open();
  }
  bool writes_to(const Process& other) {
    return session_with(other) && session_with(other)->writes_ring();
  }

  Config config;
  FakeProvider provider;
  sim::Dice random;
  stream::Rings rings;
  FakeHv* hv;
  locality::Neighbours neighbours;
  CompletionQueue queue{FI_CQ_FORMAT_TAGGED, 64};
  AddressBook book;
  Registrations shared{{}, random};
  std::unique_ptr<Endpoint> endpoint;
  std::array<std::byte, 8192> memory{};
};

}  // namespace xs::core::test
