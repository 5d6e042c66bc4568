// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Streams over a scripted inner provider, with an upper layer that only writes down what it is
// told.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "sim/dice.hpp"
#include "stream/ring_reading.hpp"
#include "stream/scripted_inner.hpp"
#include "stream/stranger.hpp"
#include "stream/streams.hpp"

namespace xs::stream::test {

using namespace xs::test;

inline constexpr std::uint32_t kLargestFrame = 4096;
inline constexpr util::Nanoseconds kQuiet = 200 * util::kMillisecond;
inline constexpr util::Nanoseconds kPeerTimeout = util::kSecond;
inline constexpr util::Nanoseconds kPauseTimeout = 20 * util::kSecond;

struct Scribe final : Upper {
  bool frame_received(Session& session, const proto::FrameView& frame) noexcept override {
    frames.push_back(frame.prefix.kind);
    if (on_frame) on_frame(session);
    return true;
  }
  Taken eager_received(Session& session, proto::Envelope envelope, std::uint8_t flags,
                       Payload& payload) noexcept override {
    std::array<std::byte, proto::kEnvelopeSize> body;
    proto::encode(envelope, body.data());
    return take(session, {{.kind = proto::Kind::kEager, .flags = flags}, body}, payload);
  }
  unsigned usual_received(Session& session, unsigned most) noexcept override {
    return session.take_usual_frames(
        most, [&](proto::Envelope envelope, std::uint8_t flags, RingConsumer& ring,
                  std::size_t offset, std::size_t size) {
          Payload payload(ring, offset, size);
          return eager_received(session, envelope, flags, payload);
        });
  }
  Taken payload_received(Session& session, const Head& head, Payload& payload) noexcept override {
    return take(session, {{.kind = head.kind, .flags = head.flags}, head.bytes}, payload);
  }
  Taken take(Session& session, const proto::FrameView& frame, Payload& payload) noexcept {
    if (!payload.take()) return Taken::kVanished;
    return frame_received(session, frame) ? Taken::kYes : Taken::kLie;
  }
  void card_changed(Session&, const Card&) noexcept override { ++cards; }
  void ring_joined(Session&) noexcept override { ++joins; }
  bool frame_left(std::uint64_t) noexcept override { return false; }
  void frame_released(std::uint64_t cookie, int error) noexcept override {
    released.push_back({cookie, error});
  }
  void session_opened(Session& session) noexcept override { opened.push_back(&session); }
  void window_opened(Session& session) noexcept override {
    ++windows;
    if (on_window) on_window(session);
  }
  void session_ended(Session&, int error) noexcept override { ended.push_back(error); }
  void bulk_let_go(BulkOperation&, std::size_t, int) noexcept override {}

  struct Released {
    std::uint64_t cookie;
    int error;
    bool operator==(const Released&) const = default;
  };
  std::vector<proto::Kind> frames;
  std::vector<Released> released;
  std::vector<Session*> opened;
  std::vector<int> ended;
  unsigned windows = 0;
  unsigned cards = 0;
  unsigned joins = 0;
  std::function<void(Session&)> on_frame;
  std::function<void(Session&)> on_window;
};

struct StreamRig {
  explicit StreamRig(const RingLimits& limits = {}) : rings{.limits = limits} {
    auto made =
        Streams::open(inner, {kLargestFrame, 8, 8, kQuiet, kPeerTimeout, kPauseTimeout, &rings},
                      clock, random, upper);
    EXPECT_TRUE(made);
    streams = std::move(*made);
  }

  void settle() {
    for (int i = 0; i < 4; ++i) streams->progress();
  }
  void pass(util::Nanoseconds time) {
    clock.time += time;
    settle();
  }
  void hear(const Frame& frame) {
    inner.endpoints.front()->arrives(frame);
    streams->look_everywhere();
    settle();
  }
  // The stranger greets and is proven.
  Session& meet(Stranger& stranger) {
    hear(stranger.hello());
    EXPECT_TRUE(stranger.read(said()));
    hear(stranger.frame(proto::Kind::kAck, 0));
    said();
    EXPECT_FALSE(upper.opened.empty());
    return *upper.opened.back();
  }
  std::vector<Handed> said() { return inner.take(); }
  std::size_t sessions() {
    std::size_t count = 0;
    streams->for_each([&](Session&) { ++count; });
    return count;
  }

  struct ManualClock final : util::Clock {
    util::Nanoseconds now() noexcept override { return time; }
    util::Nanoseconds time = util::kSecond;
  };
  ScriptedInner inner;
  ManualClock clock;
  sim::Dice random{1};
  Scribe upper;
  Rings rings;
  std::unique_ptr<Streams> streams;
};

}  // namespace xs::stream::test
