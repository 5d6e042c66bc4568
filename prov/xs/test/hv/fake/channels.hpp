// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Event channels of a fake Xen: which port is bound to which, what is rung and masked, and what
// becomes of those that stand when a VM moves.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "hv/unique_fd.hpp"
#include "hv/xen/channels.hpp"

namespace xs::test {

class FakeChannels;

class FakePorts {
 public:
  std::size_t most = 1023;  // of one domain
  int refuses = 0;          // errno of whoever opens the device
  // What would have crashed a guest's kernel: ports of before a move that are closed, alarms
  // that are set on them or ring them at the end of a process, new ports beside them.
  unsigned crashes = 0;
  std::set<int> kept;  // descriptors of alarms that somebody holds for ever

  std::size_t count() const { return ports_.size(); }
  std::size_t count(std::uint32_t domain) const;
  // A process of that domain that nobody expects binds all that is offered to it.
  void steal(std::uint32_t domain);
  // All that domain's ports ring, so many times.
  void storm(std::uint32_t domain, unsigned times);
  void move(std::uint32_t domain);

 private:
  friend class FakeChannels;
  using Name = std::pair<std::uint32_t, std::uint32_t>;  // domain, port
  struct Port {
    FakeChannels* owner;  // null: a thief, who hears nothing
    std::uint32_t remote_domain;
    std::uint32_t remote_port = 0;  // 0: nobody has bound it
    bool masked = false;
    bool pending = false;
    unsigned holders = 1;  // its process, and alarms
  };
  util::Result<std::uint32_t> make(std::uint32_t domain, FakeChannels* owner,
                                   std::uint32_t remote_domain);
  util::Result<std::uint32_t> bind(std::uint32_t domain, FakeChannels* owner, Name remote);
  void ring(Name from);
  void deliver(Name to);
  void let_go(Name name);
  void part(Name name);

  std::map<Name, Port> ports_;
};

// A process' device. `domain` is where it lives by now; `place` is null again when it is closed.
class FakeChannels final : public hv::EventChannels {
 public:
  FakeChannels(FakePorts& ports, const std::uint32_t& domain, FakeChannels*& place);
  FakeChannels(const FakeChannels&) = delete;
  FakeChannels& operator=(const FakeChannels&) = delete;
  ~FakeChannels() override;

  util::Result<std::uint32_t> offer(std::uint32_t domain) noexcept override;
  util::Result<std::uint32_t> bind(std::uint32_t domain, std::uint32_t port) noexcept override;
  void close(std::uint32_t port) noexcept override;
  bool ring(std::uint32_t port) noexcept override;
  util::Result<std::uint32_t> next() noexcept override;
  void unmask(std::uint32_t port) noexcept override;
  int descriptor() const noexcept override { return readable_.get(); }
  bool abandon(int alarms) noexcept override {
    dead_.clear();
    ports_.kept.insert(alarms);
    return true;
  }

  unsigned rings() const { return rings_; }
  // The device fails from now on.
  void fail();
  // Its process ends.
  void end();
  // An alarm on a port of this process: EINVAL if it is none.
  int hold(std::uint32_t port);
  void ring_and_let_go(std::uint32_t port);

 private:
  friend class FakePorts;
  FakePorts::Port* find(std::uint32_t port);
  void hear(std::uint32_t port);

  FakePorts& ports_;
  const std::uint32_t& domain_;
  FakeChannels*& place_;
  hv::UniqueFd readable_;
  std::deque<std::uint32_t> rung_;
  std::set<std::uint32_t> dead_;  // ports of before a move
  unsigned rings_ = 0;
  bool failed_ = false;
};

}  // namespace xs::test
