// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A passive endpoint of a simulated process, as abi/pep.cpp has it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/endpoint.hpp"
#include "core/listener.hpp"
#include "sim/connect/scene.hpp"
#include "sim/fake/inner.hpp"

namespace xs::sim {

class Door final : private core::ListenerObserver {
 public:
  // What somebody was told of and has neither answered nor forgotten.
  struct Request {
    std::uint64_t number;
    Attempt* attempt;
    core::ConnectionId id;
    proto::Address client;
    Nanoseconds until;  // when it is looked at
    bool taken;
  };

  Door(const Scene& scene, const core::Config& config, FakeProvider& provider, Dice& dice,
       unsigned member);
  ~Door();

  void step();
  // The next one that is to be looked at, or null; valid until anything else is done.
  Request* due() noexcept;
  std::size_t waiting() const noexcept { return offered_.size(); }
  // An endpoint is made for it; then it is answered: false: the listener has forgotten it.
  bool take(Request& request) noexcept;
  bool finish(const Request& request) noexcept;
  void reject(const Request& request) noexcept;
  void drop(const Request& request) noexcept;
  // Refuses what is offered; those that are taken are somebody else's.
  void begin_to_close() noexcept;
  bool closes() const noexcept { return closing_since_ > 0; }
  bool closed() const noexcept { return !endpoint_; }
  void kill() noexcept { endpoint_.reset(); }
  // Somebody who came and of whom something is left; empty: nobody.
  std::string remembers() const;

 private:
  bool requested(const core::ConnectRequest& request) noexcept override;

  const Scene& scene_;
  const core::Config& config_;
  Dice& dice_;
  unsigned member_;
  std::size_t backlog_;
  core::Listener listener_{*this};
  std::unique_ptr<core::Endpoint> endpoint_;
  std::vector<Request> offered_;
  Nanoseconds closing_since_ = 0;
};

}  // namespace xs::sim
