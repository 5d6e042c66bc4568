// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process in a virtual machine: a real endpoint and a real hv/xen over a fake of Xen, and over
// the simulated network.
#pragma once
#include <array>
#include <memory>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "hv/fake/xen.hpp"
#include "hv/xen/xen.hpp"
#include "locality/neighbours.hpp"
#include "sim/dice.hpp"
#include "sim/fake/inner.hpp"

namespace xs::sim {

class Rank {
 public:
  // life: a number that no process has had before.
  Rank(FakeNetwork& network, test::FakeXen& xen, unsigned vm, unsigned number, unsigned life);
  ~Rank();

  static proto::Address address_of(unsigned vm, unsigned number);
  void send(const proto::Address& to, std::size_t bytes);
  // Passes of progress.
  void step();
  // kill -9.
  void kill();

  unsigned vm() const noexcept { return vm_; }
  bool works() const noexcept { return endpoint_ != nullptr; }
  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t received() const noexcept { return received_; }
  // Sends that found no room, and messages that ended in error.
  std::uint64_t refused() const noexcept { return refused_; }
  std::uint64_t failed() const noexcept { return failed_; }
  const hv::Counters& counters() const noexcept { return xen_->counters(); }
  const hv::Card& card() const noexcept { return xen_->card(); }
  const std::shared_ptr<test::FakeXenCalls>& calls() const noexcept { return calls_; }
  std::size_t pages() const noexcept { return xen_->budget()->pages; }
  std::size_t in_use() const noexcept { return xen_->budget()->in_use; }
  // The serial of the announced move that its note answers; 0: none.
  std::uint64_t quiesced() const;
  bool restless() const noexcept { return xen_->restless(); }
  // Of our own region towards that peer; 0: there is no ring that both read and write.
  std::uint32_t ring_to(const proto::Address& peer) const;
  // Pages of all of them, and how many there are.
  struct RingCount {
    unsigned rings = 0;
    std::size_t pages = 0;
    std::uint32_t largest = 0;
  };
  RingCount rings() const;
  stream::PathCounters paths() const;

 private:
  void open_xen(unsigned life);
  void post_receive();
  void read_queue();

  FakeNetwork& network_;
  test::FakeXen& machine_;
  unsigned vm_;
  ProcessId id_;
  Dice dice_;
  FakeProvider provider_;
  core::Config config_;
  core::CompletionQueue queue_;
  core::AddressBook book_;
  stream::Rings rings_;
  std::shared_ptr<test::FakeXenCalls> calls_;
  hv::Xen* xen_ = nullptr;
  std::unique_ptr<locality::Neighbours> neighbours_;
  std::unique_ptr<core::Endpoint> endpoint_;
  std::array<std::byte, 4096> buffer_{};
  std::uint64_t sent_ = 0, received_ = 0, refused_ = 0, failed_ = 0;
};

}  // namespace xs::sim
