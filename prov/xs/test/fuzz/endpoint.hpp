// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A whole endpoint over a scripted network, at a time that stands still: what the worlds of
// neighbour/ and connect/ are made of.
#pragma once
#include <memory>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "core/memory.hpp"
#include "fuzz/script.hpp"
#include "sim/dice.hpp"
#include "stream/scripted_inner.hpp"

namespace xs::fuzz {

class EndpointWorld {
 public:
  EndpointWorld(const EndpointWorld&) = delete;
  EndpointWorld& operator=(const EndpointWorld&) = delete;

 protected:
  struct ManualClock final : util::Clock {
    util::Nanoseconds now() noexcept override { return time; }
    util::Nanoseconds precise() noexcept override { return ++precise_time; }
    util::Nanoseconds time = util::kSecond;
    util::Nanoseconds precise_time = 0;
  };
  // How an operation of the user's has ended.
  struct End {
    std::size_t placed = 0;  // bytes
    std::size_t total = 0;   // of the message
    bool well = false;       // or truncated
  };

  explicit EndpointWorld(util::Bytes input);
  virtual ~EndpointWorld() = default;

  // What peers may reach of our memory.
  void show(core::Registration& registration, std::span<std::byte> bytes, std::uint32_t rights,
            std::uint64_t key);
  // All that it is made of here; the book, and who else is asked, is to be added.
  core::EndpointParts parts();
  void open(const core::EndpointParts& parts);

  virtual void ended(void* context, const End& end) = 0;
  virtual void written_to() {}  // by the peer, with data
  // Reads what has ended.
  void reap();
  // Takes what was said to peers.
  virtual void listen() = 0;
  void pass(util::Nanoseconds time);

  // Null while it has none: it may have been closed and opened again.
  test::ScriptedEndpoint* home() const;
  // Where that frame can arrive now; null: nowhere.
  test::ScriptedEndpoint* home_for(util::Bytes frame) const;
  stream::Session* session_with(const proto::Address& peer) const;
  // The most that is kept while so many windows are under way.
  void require_bounded_unexpected(std::size_t windows, std::size_t more) const;

  Script script_;
  ManualClock clock_;
  sim::Dice random_{1};
  test::ScriptedInner inner_;
  core::Config config_;
  core::CompletionQueue queue_{FI_CQ_FORMAT_TAGGED, 64};
  core::Registrations memory_{{}, random_};
  std::unique_ptr<core::Endpoint> endpoint_;
  std::uint64_t echo_ = 0, next_ = 1;  // of the newest ACK
};

}  // namespace xs::fuzz
