// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A listener, or an endpoint with or without a connection, among visitors of whom each may be its
// peer. Judged all the while by docs/connections.md section 3.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "core/listener.hpp"
#include "fuzz/connect/visitor.hpp"
#include "fuzz/endpoint.hpp"

namespace xs::fuzz {

class ConnectWorld final : private EndpointWorld,
                           private core::ConnectionObserver,
                           private core::ListenerObserver {
 public:
  explicit ConnectWorld(util::Bytes input);
  ~ConnectWorld() override;

  bool over() const { return script_.empty(); }
  void act();
  // The visitors lie no more: what has begun comes to an end.
  void goes_on();

 private:
  enum class Role : std::uint8_t { kListener, kClient, kServer };
  struct Offered {
    std::uint64_t number;
    std::uint8_t mark;  // of the session that asked
  };
  struct Buffer {
    std::vector<std::byte> bytes;
    std::uint64_t tag;
    bool receives;
  };

  // What the user is told.
  void connected(util::Bytes data) noexcept override;
  void failed(int error, util::Bytes data) noexcept override;
  void disconnected() noexcept override;
  bool requested(const core::ConnectRequest& request) noexcept override;
  bool said_by(const Visitor& visitor, util::Bytes bytes) const;

  // What the user does.
  void use();
  void use_listener(std::uint8_t what);
  void use_connection(std::uint8_t what);
  void begin();
  bool receive(std::uint64_t tag, std::size_t size);
  void operate(bool reads);
  void begin_to_close();
  void ended(void* context, const End& end) override;
  void written_to() override;

  // What visitors do.
  void meet(Visitor& visitor);
  void greet(Visitor& visitor, std::uint8_t form);
  void say_connect(Visitor& visitor);
  void say_letter(Visitor& visitor);
  void say_anything(Visitor& visitor);
  void say_of_session(Visitor& visitor);
  void say(Visitor& visitor, proto::Kind kind, std::uint64_t number, const test::Frame& body,
           std::uint8_t flags);
  test::Frame body_of(const Visitor& visitor, proto::Kind kind);
  test::Frame words(std::size_t count);
  Visitor& somebody() { return visitors_[script_.next() % std::size(visitors_)]; }
  bool is_asked(const Visitor& visitor) const {
    return role_ != Role::kListener && &visitor == &visitors_[0];
  }
  void hear(Visitor& visitor, const test::Frame& frame);
  void listen() override;

  void check();
  void settles();
  void talks_and_parts();
  bool told_of_end() const { return failed_ || disconnected_; }

  static constexpr std::size_t kShown = 64;  // bytes

  Role role_;
  Visitor visitors_[4] = {Visitor(2000), Visitor(2001), Visitor(2002), Visitor(2003)};
  std::uint8_t marks_ = 0;     // given away
  Visitor* speaks_ = nullptr;  // to whom echo_ and next_ are said
  std::vector<std::byte> shown_ = std::vector<std::byte>(kShown);  // to the peer, to write and read
  core::Registration registration_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  core::Connection connection_{*this};
  core::Listener listener_{*this};

  core::ConnectionId id_{.high = 5, .low = 7};  // of the attempt, as it becomes known
  std::uint8_t asked_mark_ = 0;                 // of the listener's session
  bool begun_ = false;
  util::Nanoseconds begun_at_ = 0;
  bool connected_ = false, failed_ = false, disconnected_ = false;  // the user was told
  bool shut_ = false, closes_ = false;                              // by the user
  bool hosts_die_ = false;          // whoever is looked for may not be found
  bool counted_ = false;            // the peer has said an atomic: its bytes come to others
  const Visitor* peer_ = nullptr;   // since connected_
  std::uint8_t peer_mark_ = 0;      // of the session that was connected
  std::vector<Offered> offered_;    // and not yet forgotten or refused
  std::uint64_t last_request_ = 0;  // its number
  std::size_t backlog_ = core::Listener::kBacklog;
  bool listening_ = false;
};

}  // namespace xs::fuzz
