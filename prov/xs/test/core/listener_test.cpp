// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who listens; its clients are made by hand.
#include "core/listener.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::Kind;

struct Requests final : ListenerObserver {
  bool requested(const ConnectRequest& request) noexcept override {
    numbers.push_back(request.number);
    last_size = request.data.bytes().size();
    return room;
  }
  std::vector<std::uint64_t> numbers;
  std::size_t last_size = 0;
  bool room = true;
};

struct ListenerTest : testing::Test {
  static Frame asking(ConnectionId id, std::size_t size = 0) {
    const Frame data(size);
    Frame bytes(proto::ConnectFrame::kSize + size);
    proto::encode(proto::ConnectFrame{.id = id, .data = data}, bytes.data());
    return bytes;
  }
  void ask(Stranger& client, ConnectionId id = {1, 1}) {
    rig.meet(client);
    rig.hear(client.next(Kind::kConnect, asking(id)));
  }
  // The status of the one ANSWER that went out; -1: there is not one.
  int answer() {
    const auto said = rig.said();
    const auto frames = of_kind(said, Kind::kAnswer);
    if (frames.size() != 1) return -1;
    const auto frame = proto::decode_connect_frame(body_in(frames[0]));
    return frame ? static_cast<int>(frame->status) : -1;
  }

  Requests requests;
  Listener listener{requests};
  Rig rig{rig_config(), &listener};
  Stranger client{100};
};

TEST_F(ListenerTest, tells_of_a_request) {
  listener.listen();
  rig.meet(client);
  rig.hear(client.next(Kind::kConnect, asking({3, 4}, 192)));
  ASSERT_EQ(requests.numbers.size(), 1u);
  EXPECT_EQ(requests.last_size, 192u);
  const ConnectRequest* request = listener.find(requests.numbers[0]);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->id, (ConnectionId{3, 4}));
  EXPECT_EQ(request->client, client.home);
  EXPECT_EQ(answer(), -1);
}

TEST_F(ListenerTest, refuses_with_data) {
  listener.listen();
  ask(client);
  ConnectRequest* request = listener.find(requests.numbers.at(0));
  ASSERT_NE(request, nullptr);
  listener.refuse(*request, {});
  EXPECT_EQ(listener.find(requests.numbers[0]), nullptr);
  EXPECT_EQ(answer(), ECONNREFUSED);
}

TEST_F(ListenerTest, refuses_while_nobody_listens) {
  ask(client);
  EXPECT_TRUE(requests.numbers.empty());
  EXPECT_EQ(answer(), ECONNREFUSED);
  EXPECT_EQ(listener.counters().refused, 1u);
}

TEST_F(ListenerTest, has_a_backlog) {
  listener.listen();
  listener.set_backlog(1);
  ask(client);
  Stranger second(200, 0x7272);
  ask(second);
  EXPECT_EQ(requests.numbers.size(), 1u);
  EXPECT_EQ(answer(), ECONNREFUSED);
  listener.forget(*listener.find(requests.numbers[0]));
  Stranger third(300, 0x9393);
  ask(third);
  EXPECT_EQ(requests.numbers.size(), 2u);
  EXPECT_EQ(listener.counters().refused, 1u);
}

TEST_F(ListenerTest, refuses_what_nobody_could_be_told_of) {
  listener.listen();
  requests.room = false;
  ask(client);
  EXPECT_EQ(answer(), ECONNREFUSED);
  EXPECT_EQ(listener.find(requests.numbers.at(0)), nullptr);
}

TEST_F(ListenerTest, a_second_request_of_one_session_is_a_lie) {
  listener.listen();
  ask(client);
  rig.hear(client.next(Kind::kConnect, asking({1, 2})));
  EXPECT_EQ(rig.counters().lies, 1u);
  EXPECT_EQ(requests.numbers.size(), 1u);
}

TEST_F(ListenerTest, anything_else_is_a_lie) {
  listener.listen();
  const auto lies = [&](std::uint16_t port, Kind kind, const Frame& body) {
    Stranger other(port, port);
    rig.meet(other);
    const std::uint64_t before = rig.counters().lies;
    rig.hear(other.next(kind, body));
    return rig.counters().lies - before;
  };
  EXPECT_EQ(lies(300, Kind::kEager, eager(1, text("hello"))), 1u);
  EXPECT_EQ(lies(301, Kind::kAnswer, asking({1, 1})), 1u);
  EXPECT_EQ(lies(302, Kind::kConnected, asking({1, 1})), 1u);
  EXPECT_EQ(lies(303, Kind::kRead, body_of(proto::Read{1, 7, 0, 8})), 1u);
  EXPECT_EQ(lies(304, Kind::kRts, body_of(proto::Rts{{1, 0}, 100000, 1, 0})), 1u);
  EXPECT_EQ(lies(305, Kind::kConnect, asking({0, 0})), 1u) << "no id";
  EXPECT_EQ(rig.endpoint->receiver().unexpected_bytes(), 0u);
}

TEST_F(ListenerTest, a_client_that_leaves_is_forgotten_with_its_session) {
  listener.listen();
  ask(client);
  rig.hear(client.next(Kind::kGoodbye));
  rig.pass(util::kMillisecond);
  EXPECT_EQ(rig.session_of(client), nullptr);
  ConnectRequest* request = listener.find(requests.numbers.at(0));
  ASSERT_NE(request, nullptr) << "whoever accepts it will hear of it";
  listener.refuse(*request, {});
  EXPECT_EQ(listener.find(requests.numbers[0]), nullptr);
  EXPECT_EQ(answer(), -1);
}

TEST_F(ListenerTest, clients_that_have_left_are_forgotten) {
  listener.listen();
  const auto known = [&] {
    int count = 0;
    rig.endpoint->peers().for_each([&](Peer&) { ++count; });
    return count;
  };
  ask(client);
  EXPECT_EQ(known(), 2) << "and itself";
  rig.hear(client.next(Kind::kGoodbye));
  rig.pass(util::kMillisecond);
  rig.pass(util::kMillisecond);
  EXPECT_EQ(known(), 1);
}

// Its GOODBYE may be lost: nobody waits until it is heard.
TEST_F(ListenerTest, a_client_that_has_gone_without_a_word_is_forgotten) {
  listener.listen();
  ask(client);
  listener.forget(*listener.find(requests.numbers.at(0)));
  Stranger second(200, 0x7272);
  ask(second);
  listener.refuse(*listener.find(requests.numbers.at(1)), {});
  rig.hear(second.ack_up_to(2));
  Stranger third(300, 0x9393);
  listener.set_backlog(0);
  ask(third);
  rig.hear(third.ack_up_to(2));
  Stranger greeted(400, 0x4141);
  rig.meet(greeted);  // and has not asked, nor will
  rig.said();
  for (int i = 0; i < 5; ++i) rig.pass(rig.config.quiet);
  const auto pings = of_kind(rig.said(), Kind::kPing);
  for (Stranger* each : {&client, &second, &third, &greeted}) {
    EXPECT_TRUE(std::ranges::any_of(pings, [&](auto& ping) { return ping.to == each->home; }));
    rig.hear(each->reset(proto::ResetReason::kUnknown));
  }
  rig.pass(util::kMillisecond);
  rig.pass(util::kMillisecond);
  rig.endpoint->peers().for_each(
      [](Peer& peer) { EXPECT_TRUE(peer.self) << peer.home.text() << " is remembered"; });
}

TEST_F(ListenerTest, closing_refuses_what_is_offered_only) {
  listener.listen();
  ask(client);
  Stranger second(200, 0x7272);
  ask(second);
  listener.find(requests.numbers.at(0))->taken = true;
  rig.said();
  listener.close();
  const auto said = rig.said();
  const auto answers = of_kind(said, Kind::kAnswer);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(prefix_of(answers[0]).token, second.far_token());
}

TEST_F(ListenerTest, closing_waits_for_nobody_who_was_answered) {
  listener.listen();
  ask(client);
  listener.forget(*listener.find(requests.numbers.at(0)));
  rig.said();
  listener.close();
  EXPECT_EQ(of_kind(rig.said(), Kind::kGoodbye).size(), 1u);
  rig.pass(util::kMillisecond);
  EXPECT_EQ(rig.session_of(client), nullptr);
}

}  // namespace
}  // namespace xs::core::test
