// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The one connection of an endpoint of type FI_EP_MSG: docs/connections.md section 2.
#pragma once
#include <array>
#include <cstdint>

#include "core/address_book.hpp"
#include "core/gatekeeper.hpp"
#include "core/types.hpp"

namespace xs::core {

using proto::ConnectionId;
inline constexpr std::size_t kConnectDataLimit = proto::kConnectDataLimit;  // bytes

// A copy of what a user says along with a request or an answer.
class ConnectData {
 public:
  ConnectData() noexcept = default;
  explicit ConnectData(util::Bytes bytes) noexcept;  // at most kConnectDataLimit
  util::Bytes bytes() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, kConnectDataLimit> bytes_{};
  std::size_t size_ = 0;
};

// Who is told what becomes of a connection. Called from inside progress, or of the call that
// caused it.
class ConnectionObserver {
 public:
  virtual void connected(util::Bytes data) noexcept = 0;
  virtual void failed(int error, util::Bytes data) noexcept = 0;  // it never was
  virtual void disconnected() noexcept = 0;

 protected:
  ~ConnectionObserver() = default;
};

enum class ConnectionState : std::uint8_t {
  kNew,
  kAsking,
  kAnswering,
  kConnected,
  kParting,
  kOver,
};

// Every operation of its endpoint goes to kPeer, a number in book(), once it is connected.
class Connection final : public Gatekeeper {
 public:
  static constexpr PeerAddress kPeer = 0;

  explicit Connection(ConnectionObserver& observer) noexcept : observer_(observer) {}

  AddressBook& book() noexcept { return book_; }
  ConnectionState state() const noexcept { return state_; }

  // Only in kNew, of an open endpoint, with at most kConnectDataLimit bytes. kNoMemory: nothing has
  // happened.
  Status ask(const proto::Address& listener, util::Bytes data) noexcept;
  Status answer(const ConnectionId& id, const proto::Address& client, util::Bytes data) noexcept;
  // Parts gracefully, if it is connected.
  void shut() noexcept;
  void close() noexcept override;
  // A receive was posted: of a connection that is over nothing comes any more.
  void received_posted() noexcept;

  // What came and was none of ours, or too late.
  std::uint64_t late_answers() const noexcept { return late_answers_; }
  // Some of what was sent before shut() was not taken in time, and never will be.
  bool gave_up() const noexcept { return gave_up_; }

 private:
  Admission admits(const stream::Session& session) const noexcept override;
  bool told(stream::Session& session, proto::Kind kind,
            const proto::ConnectFrame& frame) noexcept override;
  void before_goodbye(stream::Session& session) noexcept override;
  void after_goodbye(stream::Session& session) noexcept override;
  void may_speak(stream::Session& session) noexcept override;
  void ended(stream::Session& session, int error) noexcept override;
  void reminded(util::Nanoseconds now) noexcept override;

  stream::Session* begin(ConnectionState state, const proto::Address& to,
                         util::Bytes data) noexcept;
  bool answered(stream::Session& session, const proto::ConnectFrame& frame) noexcept;
  bool accepted(stream::Session& session, util::Bytes data) noexcept;
  void await(stream::Session& session) noexcept;
  void await_done(stream::Session* session) noexcept;
  void connect(util::Bytes data) noexcept;
  void fail(int error, util::Bytes data = {}) noexcept;
  void disconnect() noexcept;
  void leave_listener() noexcept;
  void say_goodbye() noexcept;
  void keep_alive(util::Nanoseconds now) noexcept;
  bool lives() const noexcept {
    return state_ == ConnectionState::kConnected || state_ == ConnectionState::kParting;
  }

  ConnectionObserver& observer_;
  AddressBook book_;
  ConnectionState state_ = ConnectionState::kNew;
  ConnectionId id_;
  ConnectData data_;                    // to say
  bool said_ = false;                   // CONNECT, ANSWER or CONNECTED: what the state has to say
  stream::Session* asked_ = nullptr;    // with the listener
  stream::Session* session_ = nullptr;  // with the peer
  bool awaits_ = false;                 // session_, or asked_, keeps PING going for us
  bool closing_ = false;                // nobody is told any more
  bool gave_up_ = false;
  util::Nanoseconds deadline_ = util::kNever;
  util::Nanoseconds part_by_ = util::kNever;    // when GOODBYE is said, whatever the peer has taken
  util::Nanoseconds cancel_at_ = util::kNever;  // receives of a connection that the peer has ended
  util::Nanoseconds asked_at_ = 0;              // whether a silent peer still lives
  std::uint64_t late_answers_ = 0;
};

}  // namespace xs::core
