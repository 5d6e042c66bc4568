// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Hosts, kernels and wires in simulated time, as the fake inner provider sees them. What a kernel
// does (answer a probe, refuse a port, carry bytes) happens without any process being run.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "proto/address.hpp"
#include "sim/dice.hpp"
#include "util/clock.hpp"

namespace xs::sim {

class FakeEndpoint;
class FakeProbe;
struct Connection;
using util::Nanoseconds;

using ProcessId = std::uint64_t;

// What the network and the inner providers of one run are like.
struct Habits {
  Nanoseconds latency_low = 5'000;
  Nanoseconds latency_high = 50'000;
  std::size_t socket_bytes = 65536;  // that one direction of a connection holds
  std::size_t piece = 16384;         // bytes that travel at once
  std::size_t inject_limit = 128;
  std::size_t iov_limit = 4;
  std::size_t send_depth = SIZE_MAX;    // sends under way per endpoint
  std::size_t tagged_depth = SIZE_MAX;  // tagged receives per endpoint
  // Sends above it end only when they were read, and never if their connection breaks before (as
  // ofi_rxm).
  std::size_t rendezvous_over = SIZE_MAX;
  // A second connection of a process is refused while the first is believed to be up (as net);
  // else the first one is still read to its end, later.
  bool holds_on = true;
  Nanoseconds tcp_timeout = 20 * util::kSecond;  // until unacknowledged bytes end a connection
  Nanoseconds connect_timeout = 3 * util::kSecond;
  unsigned ports = 20000;        // for endpoints that take any
  unsigned refuses_percent = 0;  // connection attempts that fail for no reason
  unsigned again_percent = 0;    // posts that find no room for no reason
  // Frames about rings of which a second one comes much later. They are said again until they are
  // answered, and one may have been stuck in an older connection.
  unsigned late_percent = 0;
};

// Who wants to hear of it.
class NetworkObserver {
 public:
  // Something for that process arrives at that time.
  virtual void arrives(ProcessId process, Nanoseconds at) noexcept = 0;
  // The inner provider reads, or writes, memory of an operation.
  virtual void touches(const void* at, std::size_t size, bool writes) noexcept = 0;
  // A message leaves, is lost at once, or is read. bytes: its beginning.
  virtual void carried(const char* what, const proto::Address& from, const proto::Address& to,
                       bool tagged, std::span<const std::byte> bytes) noexcept = 0;
  // A tagged message at that address finds no receive: nothing behind it can be read.
  virtual void stopped(const proto::Address& at) noexcept = 0;
  // A rule of carrier/inner.hpp was broken by its user.
  virtual void misused(const char* what) noexcept = 0;

 protected:
  ~NetworkObserver() = default;
};

class FakeNetwork final : public util::Clock {
 public:
  FakeNetwork(const Habits& habits, std::uint64_t seed, NetworkObserver& observer) noexcept
      : habits_(habits), dice_(seed), late_dice_(seed ^ 0x1a7e), observer_(observer) {}

  Nanoseconds now() noexcept override { return now_; }
  void set_time(Nanoseconds now) noexcept { now_ = now; }

  const Habits& habits() const noexcept { return habits_; }
  // The weather changes them as it goes.
  Habits& habits() noexcept { return habits_; }
  Dice& dice() noexcept { return dice_; }
  // For habits that came later: what the other dice say stays.
  Dice& late_dice() noexcept { return late_dice_; }
  NetworkObserver& observer() noexcept { return observer_; }

  // 10.0.0.host, or with a port.
  static proto::Address address(unsigned host, std::uint16_t port) noexcept;
  static unsigned host_of(const proto::Address& address) noexcept;

  // ---- Kernels ----
  FakeEndpoint* listener(const proto::Address& address) noexcept;
  bool listen(const proto::Address& address, FakeEndpoint& endpoint) noexcept;
  // Some connection may be dead without both its ends knowing, perhaps for ever.
  bool has_half_dead() const noexcept { return has_half_dead_; }
  void note_half_dead() noexcept { has_half_dead_ = true; }
  // Posts that found no room so far.
  std::uint64_t refused_posts() const noexcept { return refused_posts_; }
  void count_refused() noexcept { ++refused_posts_; }
  int new_descriptor() noexcept { return ++descriptors_; }
  void unlisten(const proto::Address& address) noexcept { listeners_.erase(address); }
  std::uint16_t free_port(unsigned host) noexcept;
  const std::map<proto::Address, FakeEndpoint*>& listeners() const noexcept { return listeners_; }
  void born(ProcessId process) noexcept { processes_.insert(process); }
  // Its endpoints are closed by their owner right after: their kernel cleans up.
  void died(ProcessId process) noexcept { processes_.erase(process); }
  bool lives(ProcessId process) const noexcept { return processes_.contains(process); }

  // ---- Wires ----
  // When something that leaves now gets there; kNever if it does not. first: how long a kernel
  // waits before it sends it again.
  static constexpr Nanoseconds kBytesAgain = 200 * util::kMillisecond;
  static constexpr Nanoseconds kConnectAgain = util::kSecond;
  Nanoseconds arrival(unsigned from, unsigned to, Nanoseconds first = kBytesAgain) noexcept;
  bool gone(unsigned host) const noexcept { return gone_.contains(host); }
  // Packets from and to the host vanish; its processes must have been ended with vanish_host().
  void vanish(unsigned host) noexcept { gone_.insert(host); }
  void come_back(unsigned host) noexcept { gone_.erase(host); }
  // Nothing gets through between the hosts for a while; TCP delivers it later: at once, or as real
  // kernels do, which send again after pauses that double, and so perhaps as long after that while
  // as they have tried.
  enum class Again : std::uint8_t { kAtOnce, kBackedOff };
  void part(unsigned a, unsigned b, Nanoseconds until, Again again = Again::kAtOnce) noexcept;

  // Connections that anybody still uses; for the weather.
  std::vector<std::shared_ptr<Connection>> connections() noexcept;
  void add(const std::shared_ptr<Connection>& connection) noexcept;

 private:
  static constexpr std::uint16_t kEphemeral = 40000;

  Habits habits_;
  Dice dice_;
  Dice late_dice_;
  NetworkObserver& observer_;
  Nanoseconds now_ = 1000 * util::kSecond;
  bool has_half_dead_ = false;
  int descriptors_ = 0;
  std::uint64_t refused_posts_ = 0;
  std::map<proto::Address, FakeEndpoint*> listeners_;
  std::set<ProcessId> processes_;
  std::set<unsigned> gone_;
  struct Parted {
    Nanoseconds until;
    Again again;
  };
  std::map<std::pair<unsigned, unsigned>, Parted> parted_;
  std::vector<std::weak_ptr<Connection>> connections_;
};

}  // namespace xs::sim
