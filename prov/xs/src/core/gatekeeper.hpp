// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Stands between streams and an endpoint that has to do with connections: docs/connections.md.
// Others have none, and pay nothing for it.
#pragma once
#include "proto/connect_frame.hpp"
#include "stream/streams.hpp"
#include "stream/upper.hpp"
#include "util/clock.hpp"

namespace xs::core {

class Endpoint;

class Gatekeeper : public stream::Upper {
 public:
  // Endpoint::open: everything for `above`, which is that endpoint, goes by us first. We outlive
  // it.
  stream::Upper& stand_before(Endpoint& endpoint, stream::Upper& above) noexcept {
    endpoint_ = &endpoint;
    above_ = &above;
    return *this;
  }
  // The endpoint is about to close.
  virtual void close() noexcept = 0;

 protected:
  ~Gatekeeper() = default;

  // Whose operations the endpoint takes. kDropped: of a connection that is over.
  enum class Admission : std::uint8_t { kYes, kDropped, kLie };
  virtual Admission admits(const stream::Session& session) const noexcept = 0;
  // A frame about connections. False: the peer lies.
  virtual bool told(stream::Session& session, proto::Kind kind,
                    const proto::ConnectFrame& frame) noexcept = 0;
  // The session's last frame, before and after the endpoint takes it.
  virtual void before_goodbye(stream::Session&) noexcept {}
  virtual void after_goodbye(stream::Session& session) noexcept = 0;
  virtual void opened(stream::Session&) noexcept {}
  // There is room, perhaps for the first time.
  virtual void may_speak(stream::Session& session) noexcept = 0;
  virtual void ended(stream::Session& session, int error) noexcept = 0;

  // False: no room now; may_speak() follows.
  static bool say(stream::Session& session, proto::Kind kind,
                  const proto::ConnectFrame& frame) noexcept;

  Endpoint& endpoint() const noexcept { return *endpoint_; }
  stream::Streams& streams() const noexcept;
  util::Nanoseconds now() const noexcept { return streams().now(); }

 private:
  bool frame_received(stream::Session& session, const proto::FrameView& frame) noexcept final;
  stream::Taken eager_received(stream::Session& session, proto::Envelope envelope,
                               std::uint8_t flags, stream::Payload& payload) noexcept final;
  stream::Taken payload_received(stream::Session& session, const Head& head,
                                 stream::Payload& payload) noexcept final;
  unsigned usual_received(stream::Session& session, unsigned most) noexcept final;
  void frame_released(std::uint64_t cookie, int error) noexcept final;
  bool frame_left(std::uint64_t cookie) noexcept final;
  void session_opened(stream::Session& session) noexcept final;
  void window_opened(stream::Session& session) noexcept final;
  void session_ended(stream::Session& session, int error) noexcept final;
  void card_changed(stream::Session& session, const stream::Card& before) noexcept final;
  void ring_joined(stream::Session& session) noexcept final;
  void bulk_let_go(stream::BulkOperation& operation, std::size_t length, int error) noexcept final;
  bool frame_told(stream::Session& session, const proto::FrameView& frame) noexcept;
  bool goodbye_received(stream::Session& session, const proto::FrameView& frame) noexcept;

  Endpoint* endpoint_ = nullptr;
  stream::Upper* above_ = nullptr;
};

}  // namespace xs::core
