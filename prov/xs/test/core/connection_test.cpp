// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One connection, whose other ends are made by hand.
#include "core/connection.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "core/rig.hpp"
#include "util/log.hpp"

namespace xs::core::test {
namespace {

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

Frame connect_frame(const proto::ConnectFrame& frame) {
  Frame bytes(proto::ConnectFrame::kSize + frame.data.size());
  proto::encode(frame, bytes.data());
  return bytes;
}

util::Bytes bytes_of(const std::string& words) {
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

TEST_F(ConnectionTest, a_client_asks_is_answered_and_confirms) {
  const ConnectionId id = ask();
  EXPECT_EQ(connection.state(), State::kAsking);
  accept(id, "welcome");
  EXPECT_EQ(heard.take(), "connected welcome");
  EXPECT_EQ(connection.state(), State::kConnected);
  const auto confirmed = told(Kind::kConnected);
  ASSERT_TRUE(confirmed);
  EXPECT_EQ(confirmed->id, id);
  EXPECT_EQ(of_kind(taken, Kind::kGoodbye).size(), 1u) << "to the listener";
}

TEST_F(ConnectionTest, messages_go_both_ways) {
  connect();
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(rig.receive(buffer, 3, &buffer), Status::kOk);
  rig.hear(server.next(Kind::kEager, eager(3, text("hello")), proto::kTagged));
  const auto came = rig.outcome();
  ASSERT_TRUE(came);
  EXPECT_EQ(came->length, 5u);
  EXPECT_EQ(send("x"), Status::kOk);
  EXPECT_EQ(of_kind(rig.said(), Kind::kEager).size(), 1u);
}

TEST_F(ConnectionTest, a_refusal_brings_its_data) {
  const ConnectionId id = ask();
  rig.hear(listener.next(
      Kind::kAnswer, connect_frame({.id = id, .status = ECONNREFUSED, .data = bytes_of("no")})));
  EXPECT_EQ(heard.take(), "failed " + std::to_string(ECONNREFUSED) + " no");
  EXPECT_EQ(connection.state(), State::kOver);
  EXPECT_EQ(rig.counters().lies, 0u);
}

TEST_F(ConnectionTest, an_answer_needs_the_id) {
  ConnectionId id = ask();
  id.low ^= 2;
  accept(id);
  EXPECT_EQ(heard.take(), "");
  EXPECT_EQ(connection.state(), State::kAsking);
  EXPECT_EQ(rig.counters().lies, 1u);
}

TEST_F(ConnectionTest, a_listener_does_not_accept_nor_a_server_refuse) {
  const ConnectionId id = ask();
  rig.hear(server.hello());
  ASSERT_TRUE(server.read(rig.said()));
  rig.hear(
      server.next(Kind::kAnswer, connect_frame({.id = id, .status = ECONNREFUSED, .data = {}})));
  EXPECT_EQ(rig.counters().lies, 1u);
  EXPECT_EQ(heard.take(), "");
  rig.hear(listener.next(Kind::kAnswer, connect_frame({.id = id, .data = {}})));
  EXPECT_EQ(rig.counters().lies, 2u);
  EXPECT_EQ(heard.take(), "failed " + std::to_string(EPROTO));
}

TEST_F(ConnectionTest, a_message_before_the_connection_is_a_lie) {
  ask();
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(rig.receive(buffer, 3, &buffer), Status::kOk);
  rig.hear(server.hello());
  ASSERT_TRUE(server.read(rig.said()));
  rig.hear(server.next(Kind::kEager, eager(3, text("hello")), proto::kTagged));
  EXPECT_FALSE(rig.outcome());
  EXPECT_EQ(rig.counters().lies, 1u);
}

TEST_F(ConnectionTest, a_message_of_somebody_else_is_a_lie) {
  connect();
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(rig.receive(buffer, 3, &buffer), Status::kOk);
  Stranger other(300, 0x9393);
  rig.meet(other);
  rig.hear(other.next(Kind::kEager, eager(3, text("hello")), proto::kTagged));
  EXPECT_FALSE(rig.outcome());
  EXPECT_EQ(rig.counters().lies, 1u);
  EXPECT_EQ(connection.state(), State::kConnected) << "it has harmed itself only";
  EXPECT_EQ(heard.take(), "");
}

TEST_F(ConnectionTest, remote_memory_is_the_peers_alone) {
  connect();
  Stranger other(300, 0x9393);
  rig.meet(other);
  rig.hear(other.next(Kind::kRead, body_of(proto::Read{1, 7, 0, 8})));
  EXPECT_EQ(rig.counters().lies, 1u);
  rig.hear(server.next(Kind::kRead, body_of(proto::Read{1, 7, 0, 8})));
  EXPECT_EQ(rig.counters().lies, 1u);
  EXPECT_EQ(of_kind(rig.said(), Kind::kDone).size(), 1u) << "there is no such key";
}

TEST_F(ConnectionTest, a_new_session_with_the_peer_is_no_connection) {
  connect();
  Stranger again(200, 0x8484);
  again.life = {8, 200};
  rig.meet(again);
  EXPECT_EQ(heard.take(), "disconnected");
  rig.hear(again.next(Kind::kEager, eager(3, text("hello")), proto::kTagged));
  EXPECT_EQ(rig.counters().lies, 1u);
}

TEST_F(ConnectionTest, its_peer_parts) {
  connect();
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(rig.receive(buffer, 3, &buffer), Status::kOk);
  rig.hear(server.next(Kind::kEager, eager(9, text("early")), proto::kTagged));
  rig.hear(server.next(Kind::kGoodbye));
  EXPECT_EQ(heard.take(), "disconnected");
  EXPECT_EQ(of_kind(rig.said(), Kind::kGoodbye).size(), 1u) << "answered";
  EXPECT_FALSE(rig.outcome()) << "another connection may have last words on the same queue";
  rig.pass(20 * util::kMillisecond);
  const auto cancelled = rig.outcome();
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->error, ECANCELED);
  // What came before is still there.
  EXPECT_EQ(rig.receive(buffer, 9, &buffer), Status::kOk);
  connection.received_posted();
  const auto early = rig.outcome();
  ASSERT_TRUE(early);
  EXPECT_EQ(early->length, 5u);
  EXPECT_EQ(rig.receive(buffer, 3, &buffer), Status::kOk);
  connection.received_posted();
  const auto late = rig.outcome();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->error, ECANCELED);
}

TEST_F(ConnectionTest, what_waits_ends_when_the_peer_parts) {
  connect();
  for (int i = 0; i < 12; ++i) ASSERT_EQ(send("x"), Status::kOk) << "more than a window";
  rig.said();
  rig.hear(server.next(Kind::kGoodbye));
  int failed = 0;
  while (const auto end = rig.outcome()) failed += end->error == ECONNRESET;
  EXPECT_EQ(failed, 4) << "those that the window had no room for";
  EXPECT_EQ(heard.take(), "disconnected");
  EXPECT_TRUE(of_kind(rig.said(), Kind::kHello).empty()) << "no new session is begun";
}

TEST_F(ConnectionTest, parting_is_graceful_and_told_once) {
  connect();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send("x"), Status::kOk);
  connection.shut();
  EXPECT_EQ(connection.state(), State::kParting);
  rig.settle();
  auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 8u);
  EXPECT_TRUE(of_kind(said, Kind::kGoodbye).empty()) << "two messages wait";
  rig.hear(server.ack_up_to(10));
  rig.pass(2 * util::kMillisecond);
  said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 2u);
  EXPECT_EQ(of_kind(said, Kind::kGoodbye).size(), 1u);
  EXPECT_EQ(heard.take(), "");
  rig.hear(server.ack_up_to(13));
  rig.hear(server.next(Kind::kGoodbye));
  EXPECT_EQ(heard.take(), "disconnected");
  rig.pass(util::kSecond);
  EXPECT_EQ(heard.take(), "");
}

// It may have shut its end, too, and wait for us in the same way.
TEST_F(ConnectionTest, parting_gives_up_what_nobody_takes) {
  connect();
  rig.hear(server.frame(Kind::kAck, 0, {}, proto::kRtsOnly));
  std::array<std::byte, 5> word{};
  ASSERT_EQ(rig.send(Connection::kPeer, word, kOpInject, nullptr), Status::kOk);
  connection.shut();
  std::vector<Handed> goodbyes;
  const auto pass_for = [&](util::Nanoseconds time) {
    for (const util::Nanoseconds step = 100 * util::kMillisecond; time > 0; time -= step) {
      rig.pass(step);
      taken = rig.said();
      for (const Handed& each : of_kind(taken, Kind::kGoodbye)) goodbyes.push_back(each);
      rig.hear(server.ack_up_to(3));  // it is there
    }
  };
  pass_for(rig_config().linger - util::kSecond);
  EXPECT_TRUE(goodbyes.empty());
  pass_for(2 * util::kSecond);
  EXPECT_EQ(goodbyes.size(), 1u);
  EXPECT_EQ(heard.take(), "");
  rig.hear(server.next(Kind::kGoodbye));
  EXPECT_EQ(heard.take(), "disconnected");
}

// Not even GOODBYE has room then, and is tried again and again.
TEST_F(ConnectionTest, giving_up_is_told_once) {
  static int told_of;
  told_of = 0;
  connect();
  for (int i = 0; i < 12; ++i) ASSERT_EQ(send("x"), Status::kOk) << "more than a window";
  connection.shut();
  util::set_log_sink(
      [](util::Level, const char* text) noexcept {
        told_of += std::string_view(text).find("given up") != std::string_view::npos;
      },
      [](util::Level) noexcept { return true; });
  for (int step = 0; step < 60; ++step) {
    rig.pass(100 * util::kMillisecond);
    rig.hear(server.ack_up_to(2));  // it is there, and takes nothing
  }
  EXPECT_LE(told_of, 1);
  util::set_log_sink(nullptr, nullptr);
}

TEST_F(ConnectionTest, nobody_answers_in_time) {
  ask();
  for (int i = 0; i < 700 && heard.events.empty(); ++i) {
    rig.hear(listener.ack_up_to(2));
    rig.pass(100 * util::kMillisecond);
  }
  EXPECT_EQ(heard.take(), "failed " + std::to_string(ETIMEDOUT));
}

TEST_F(ConnectionTest, an_answer_that_is_late) {
  const ConnectionId id = ask();
  connection.close();
  rig.settle();
  accept(id);
  EXPECT_EQ(heard.take(), "");
  EXPECT_EQ(connection.late_answers(), 1u);
  EXPECT_EQ(rig.counters().lies, 0u);
  rig.pass(util::kMillisecond);
  EXPECT_EQ(rig.session_of(server), nullptr);
}

TEST_F(ConnectionTest, the_listener_parts_before_it_has_heard) {
  EXPECT_EQ(connection.ask(listener.home, {}), Status::kOk);
  rig.settle();
  welcome(listener);
  rig.hear(listener.next(Kind::kGoodbye));
  EXPECT_EQ(heard.take(), "failed " + std::to_string(ECONNREFUSED));
}

TEST_F(ConnectionTest, the_listener_parts_when_somebody_has_taken_the_request) {
  const ConnectionId id = ask();
  rig.hear(listener.next(Kind::kGoodbye));
  EXPECT_EQ(heard.take(), "");
  accept(id);
  EXPECT_EQ(heard.take(), "connected");
}

TEST_F(ConnectionTest, the_listener_forgets_us) {
  ask();
  rig.hear(listener.reset(proto::ResetReason::kEnded));
  EXPECT_EQ(heard.take(), "failed " + std::to_string(ECONNREFUSED));
}

TEST_F(ConnectionTest, to_itself) {
  EXPECT_EQ(connection.ask(rig.endpoint->name(), {}), Status::kOk);
  EXPECT_EQ(heard.take(), "failed " + std::to_string(ECONNREFUSED));
}

TEST_F(ConnectionTest, a_server_answers_and_is_confirmed) {
  const ConnectionId id{.high = 1, .low = 2};
  EXPECT_EQ(connection.answer(id, server.home, bytes_of("yes")), Status::kOk);
  rig.settle();
  welcome(server);
  const auto answer = told(Kind::kAnswer);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id, id);
  EXPECT_EQ(answer->status, 0u);
  EXPECT_EQ(answer->data.size(), 3u);
  EXPECT_EQ(heard.take(), "");
  rig.hear(server.next(Kind::kConnected, connect_frame({.id = id, .data = {}})));
  EXPECT_EQ(heard.take(), "connected");
  EXPECT_EQ(connection.state(), State::kConnected);
  rig.hear(server.next(Kind::kConnected, connect_frame({.id = id, .data = {}})));
  EXPECT_EQ(rig.counters().lies, 1u) << "once";
  EXPECT_EQ(heard.take(), "disconnected");
}

TEST_F(ConnectionTest, a_client_that_speaks_before_it_confirms_lies) {
  EXPECT_EQ(connection.answer({.high = 1, .low = 2}, server.home, {}), Status::kOk);
  rig.settle();
  welcome(server);
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(rig.receive(buffer, 3, &buffer), Status::kOk);
  rig.hear(server.next(Kind::kEager, eager(3, text("hello")), proto::kTagged));
  EXPECT_EQ(rig.counters().lies, 1u);
  const auto ended = rig.outcome();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error, ECANCELED);
  EXPECT_EQ(heard.take(), "failed " + std::to_string(EPROTO));
}

TEST_F(ConnectionTest, a_confirmation_says_nothing_else) {
  const ConnectionId id{.high = 1, .low = 2};
  const std::string words = "words";
  for (const proto::ConnectFrame& frame :
       {proto::ConnectFrame{.id = id, .status = ECONNREFUSED, .data = {}},
        proto::ConnectFrame{.id = id, .data = bytes_of(words)}}) {
    Heard told_here;
    Connection answering(told_here);
    Rig there(rig_config(), &answering, &answering.book());
    Stranger client{200, 0x7272};
    EXPECT_EQ(answering.answer(id, client.home, {}), Status::kOk);
    there.settle();
    ASSERT_TRUE(client.read(there.said()));
    there.hear(client.welcome());
    there.hear(client.next(Kind::kConnected, connect_frame(frame)));
    EXPECT_EQ(there.counters().lies, 1u);
    EXPECT_EQ(told_here.take(), "failed " + std::to_string(EPROTO));
  }
}

TEST_F(ConnectionTest, a_server_whose_client_has_gone) {
  const ConnectionId id{.high = 1, .low = 2};
  EXPECT_EQ(connection.answer(id, server.home, {}), Status::kOk);
  rig.settle();
  welcome(server);
  rig.hear(server.reset(proto::ResetReason::kEnded));
  EXPECT_EQ(heard.take(), "failed " + std::to_string(ECONNRESET));
}

TEST_F(ConnectionTest, frames_out_of_their_turn) {
  rig.meet(listener);
  rig.hear(listener.next(Kind::kConnect, connect_frame({.id = {1, 2}, .data = {}})));
  EXPECT_EQ(rig.counters().lies, 1u) << "nobody listens here";
  rig.meet(server);
  rig.hear(server.next(Kind::kConnected, connect_frame({.id = {1, 2}, .data = {}})));
  EXPECT_EQ(rig.counters().lies, 2u);
  Stranger third(300, 0x9393);
  rig.meet(third);
  rig.hear(third.next(Kind::kAnswer, connect_frame({.id = {1, 2}, .data = {}})));
  EXPECT_EQ(rig.counters().lies, 3u);
  EXPECT_EQ(heard.take(), "");
}

TEST_F(ConnectionTest, a_silent_peer_is_asked_now_and_then) {
  connect();
  rig.said();
  rig.pass(5 * rig.config.quiet);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kPing).empty());
  for (int i = 0; i < 10; ++i) rig.pass(rig.config.quiet);
  const auto pings = of_kind(rig.said(), Kind::kPing);
  ASSERT_GE(pings.size(), 1u);
  // Whoever lives answers, and is left alone again.
  Frame answer = server.ack_up_to(2);
  const std::uint64_t echo = prefix_of(pings.back()).seq;
  util::store(answer.data() + 16, echo);
  rig.hear(answer);
  rig.pass(rig.config.quiet);
  rig.said();
  rig.pass(5 * rig.config.quiet);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kPing).empty());
  EXPECT_EQ(heard.take(), "");
}

TEST_F(ConnectionTest, the_peer_forgets_us) {
  connect();
  rig.hear(server.reset(proto::ResetReason::kEnded));
  EXPECT_EQ(heard.take(), "disconnected");
  EXPECT_EQ(connection.state(), State::kOver);
}

TEST_F(ConnectionTest, closing_tells_nobody_here) {
  connect();
  connection.close();
  rig.hear(server.next(Kind::kGoodbye));
  EXPECT_EQ(heard.take(), "");
}

}  // namespace
}  // namespace xs::core::test
