// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One connection, whose other ends are made by hand.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "core/connection.hpp"
#include "core/rig.hpp"

namespace xs::core::test {

using proto::Kind;
using State = ConnectionState;

struct Heard final : ConnectionObserver {
  void connected(util::Bytes data) noexcept override { say("connected", data); }
  void failed(int error, util::Bytes data) noexcept override {
    say("failed " + std::to_string(error), data);
  }
  void disconnected() noexcept override { events.push_back("disconnected"); }
  void say(std::string what, util::Bytes data) {
    if (!data.empty())
      what += " " + std::string(reinterpret_cast<const char*>(data.data()), data.size());
    events.push_back(what);
  }
  // What came since the last time.
  std::string take() {
    std::string all;
    for (const std::string& each : events) all += (all.empty() ? "" : ", ") + each;
    events.clear();
    return all;
  }
  std::vector<std::string> events;
};

inline Frame connect_frame(const proto::ConnectFrame& frame) {
  Frame bytes(proto::ConnectFrame::kSize + frame.data.size());
  proto::encode(frame, bytes.data());
  return bytes;
}

inline util::Bytes bytes_of(const std::string& words) {
  return std::as_bytes(std::span(words.data(), words.size()));
}

struct ConnectionTest : testing::Test {
  // Takes the greeting that went out to the stranger, and welcomes it.
  void welcome(Stranger& stranger) {
    ASSERT_TRUE(stranger.read(rig.said()));
    rig.hear(stranger.welcome());
  }
  // The one frame of that kind that went out.
  std::optional<proto::ConnectFrame> told(Kind kind) {
    taken = rig.said();
    frames = of_kind(taken, kind);
    if (frames.size() != 1) return std::nullopt;
    return proto::decode_connect_frame(body_in(frames[0]));
  }
  ConnectionId ask() {
    EXPECT_EQ(connection.ask(listener.home, bytes_of("please")), Status::kOk);
    rig.settle();
    welcome(listener);
    const auto asked = told(Kind::kConnect);
    EXPECT_TRUE(asked);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(asked->data.data()), asked->data.size()),
              "please");
    rig.hear(listener.ack_up_to(2));
    return asked->id;
  }
  void accept(const ConnectionId& id, const std::string& words = "") {
    rig.hear(server.hello());
    ASSERT_TRUE(server.read(rig.said()));
    rig.hear(server.next(Kind::kAnswer, connect_frame({.id = id, .data = bytes_of(words)})));
  }
  ConnectionId connect() {
    const ConnectionId id = ask();
    accept(id);
    EXPECT_EQ(heard.take(), "connected");
    EXPECT_TRUE(told(Kind::kConnected));
    rig.hear(server.ack_up_to(2));
    return id;
  }
  Status send(const char* words) {
    return rig.send(Connection::kPeer, std::as_writable_bytes(std::span(room.data(), 5)), 0,
                    const_cast<char*>(words));
  }

  Heard heard;
  Connection connection{heard};
  Rig rig{rig_config(), &connection, &connection.book()};
  Stranger listener{100};
  Stranger server{200, 0x7272};
  std::array<char, 64> room{};
  std::vector<Handed> taken, frames;
};

}  // namespace xs::core::test
