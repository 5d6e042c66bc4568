// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One side of an attempt to connect: an endpoint of type FI_EP_MSG and its user.
#pragma once
#include <list>
#include <memory>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "core/listener.hpp"
#include "sim/connect/scene.hpp"
#include "sim/fake/inner.hpp"

namespace xs::sim {

// What a process has for all its endpoints.
struct Household {
  const core::Config& config;
  FakeProvider& provider;
  Dice& dice;
  locality::Neighbours* neighbours;  // null: it shares memory with nobody
  stream::Rings& rings;
};

class Talk final : private core::ConnectionObserver {
 public:
  Talk(const Scene& scene, const Household& house, Attempt& attempt, Who who);
  ~Talk();

  void ask();
  // Null: the listener does not know the request any more.
  void answer(const core::ConnectionId& id, const proto::Address& client);
  // Progress, and what follows from what came. patient: the process has not been computing.
  void step(bool patient);
  // The user does something. stays: begins nothing new.
  void act(bool stays);
  void kill() noexcept;

  bool gone() const noexcept { return !endpoint_; }
  std::string state() const;
  std::uint64_t joined() const noexcept { return joined_; }
  std::uint64_t by_ring() const noexcept { return by_ring_; }

 private:
  struct Operation {
    bool receives;
    bool injected;      // nobody hears of its end, but of an error
    std::size_t index;  // of the message; of a receive: the one that is its
    std::vector<std::byte> memory;
  };

  void connected(util::Bytes data) noexcept override;
  void failed(int error, util::Bytes data) noexcept override;
  void disconnected() noexcept override;
  void send();
  void receive();
  void keep_receiving();
  void read_queue();
  void ended(Operation& operation, std::size_t size, int error);
  void shut();
  void begin_to_close();
  void close();
  void judge_wait(bool patient);
  Side& own() const noexcept { return attempt_.side(who_); }
  Nanoseconds now() const noexcept { return scene_.network.now(); }

  const Scene& scene_;
  const Household& house_;
  Attempt& attempt_;
  Who who_;
  core::Connection connection_{*this};
  core::CompletionQueue queue_{FI_CQ_FORMAT_TAGGED, 64};
  std::list<Operation> operations_;
  bool reads_on_ = false;         // after it has shut: the peer may have to be rid of something
  std::size_t receives_ = 0;      // posted
  std::size_t next_receive_ = 0;  // the message that the next receive will have
  Nanoseconds begun_at_ = 0;
  Nanoseconds closing_since_ = 0;  // 0: it is not closing
  std::uint64_t joined_ = 0, by_ring_ = 0;
  std::unique_ptr<core::Endpoint> endpoint_;
};

}  // namespace xs::sim
