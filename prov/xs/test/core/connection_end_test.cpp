// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How connections end.
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "core/connection_rig.hpp"
#include "util/log.hpp"

namespace xs::core::test {
namespace {

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
