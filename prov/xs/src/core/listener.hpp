// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who takes requests to connect, and gives refusals: docs/connections.md section 2.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/connection.hpp"
#include "core/gatekeeper.hpp"

namespace xs::core {

struct ConnectRequest {
  std::uint64_t number;  // no other one of this listener has it
  ConnectionId id;
  proto::Address client;
  ConnectData data;          // the client's; then that of the refusal
  stream::Session* session;  // null: the client has gone
  bool taken = false;        // an endpoint was made for it
  bool refused = false;      // only to be said
};

class ListenerObserver {
 public:
  // False: nobody can be told, it is refused.
  virtual bool requested(const ConnectRequest& request) noexcept = 0;

 protected:
  ~ListenerObserver() = default;
};

struct ListenerCounters {
  std::uint64_t refused = 0;  // for want of room, or of somebody who listens
};

class Listener final : public Gatekeeper {
 public:
  static constexpr std::size_t kBacklog = 128;  // requests
  static constexpr std::size_t kLargestBacklog = 4096;

  explicit Listener(ListenerObserver& observer) noexcept : observer_(observer) {}

  void listen() noexcept { listens_ = true; }
  bool listens() const noexcept { return listens_; }
  void set_backlog(std::size_t requests) noexcept { backlog_ = requests; }

  // An open request that is not refused, or null.
  ConnectRequest* find(std::uint64_t number) noexcept;
  // It is somebody else's now.
  void forget(const ConnectRequest& request) noexcept;
  void refuse(ConnectRequest& request, util::Bytes data) noexcept;
  // Refuses what is offered. From now on nothing is taken.
  void close() noexcept override;

  const ListenerCounters& counters() const noexcept { return counters_; }

 private:
  Admission admits(const stream::Session&) const noexcept override { return Admission::kLie; }
  bool told(stream::Session& session, proto::Kind kind,
            const proto::ConnectFrame& frame) noexcept override;
  void after_goodbye(stream::Session& session) noexcept override;
  void opened(stream::Session& session) noexcept override;
  void may_speak(stream::Session& session) noexcept override;
  void ended(stream::Session& session, int error) noexcept override;

  ConnectRequest* of(const stream::Session& session) noexcept;
  ConnectRequest* make(stream::Session& session, const proto::ConnectFrame& frame) noexcept;
  void client_left(const stream::Session& session) noexcept;
  void reminded(util::Nanoseconds now) noexcept override;
  bool try_to_refuse(ConnectRequest& request) noexcept;

  ListenerObserver& observer_;
  std::vector<std::unique_ptr<ConnectRequest>> requests_;
  std::vector<proto::Address> left_;  // whose sessions have ended since the last look
  std::size_t backlog_ = kBacklog;
  std::uint64_t last_number_ = 0;
  bool listens_ = false;
  ListenerCounters counters_;
};

}  // namespace xs::core
