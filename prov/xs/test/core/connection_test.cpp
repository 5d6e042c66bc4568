// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A client, and a server: how they meet, and who lies.
#include "core/connection.hpp"

#include <array>
#include <cerrno>
#include <string>

#include "core/connection_rig.hpp"

namespace xs::core::test {
namespace {

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

}  // namespace
}  // namespace xs::core::test
