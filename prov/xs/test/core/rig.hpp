// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint over a scripted inner provider, and strangers around it.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "core/memory.hpp"
#include "sim/dice.hpp"
#include "stream/scripted_inner.hpp"
#include "stream/stranger.hpp"

namespace xs::core::test {

using namespace xs::test;

struct ManualClock final : util::Clock {
  util::Nanoseconds now() noexcept override { return time; }
  util::Nanoseconds precise() noexcept override { return precise_time += precise_step; }
  util::Nanoseconds time = util::kSecond;
  util::Nanoseconds precise_time = 1;  // never 0
  util::Nanoseconds precise_step = 0;  // from one look to the next
};

Config rig_config();

struct Rig {
  explicit Rig(const Config& wanted = rig_config(), Gatekeeper* gatekeeper = nullptr,
               AddressBook* numbers = nullptr);

  // Takes what has arrived and ended, until nothing more happens.
  void settle();
  void pass(util::Nanoseconds time);
  // One frame comes in at home, and is taken.
  void hear(const Frame& frame);
  // The stranger greets and is proven.
  void meet(Stranger& stranger);
  // What went out since the last time.
  std::vector<Handed> said() { return inner.take(); }
  ScriptedEndpoint& home() { return *inner.endpoints.front(); }

  PeerAddress address_of(const Stranger& stranger) { return book.insert(stranger.home); }
  Status send(PeerAddress to, std::span<std::byte> bytes, std::uint32_t flags, void* context,
              std::uint64_t tag = 1);
  Status receive(std::span<std::byte> room, std::uint64_t tag, void* context,
                 std::uint32_t flags = 0);
  // The next completion, or the next error with its number in `error`; nullopt: none.
  struct Outcome {
    void* context;
    std::uint64_t length;
    int error;
  };
  std::optional<Outcome> outcome();
  const stream::StreamCounters& counters() const { return endpoint->streams().counters(); }
  stream::Session* session_of(const Stranger& stranger);

  ScriptedInner inner;
  ManualClock clock;
  sim::Dice random{1};
  Config config;
  CompletionQueue queue{FI_CQ_FORMAT_TAGGED, 64};
  AddressBook book;
  Registrations memory{{}, random};
  std::unique_ptr<Endpoint> endpoint;
};

}  // namespace xs::core::test
