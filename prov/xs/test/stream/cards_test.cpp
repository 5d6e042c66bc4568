// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a peer learns where our process lives now, and we where its lives: docs/wire.md 4, rule 10.
#include <gtest/gtest.h>

#include "stream/stream_rig.hpp"
#include "util/bytes.hpp"

namespace xs::stream::test {
namespace {

using proto::Kind;

// The same frame with a number of a card in its prefix.
Frame numbered(Frame frame, std::uint64_t number) {
  util::store(frame.data() + 16, number);
  return frame;
}

proto::NeighbourCard card(int which) {
  proto::NeighbourCard made{};
  made[0] = static_cast<std::byte>(which);
  return made;
}

struct CardsTest : testing::Test {
  // We live elsewhere.
  void move(int where) {
    rig.streams->set_card(card(where));
    rig.streams->tell_card();
    rig.settle();
  }
  // Of the HELLOs that were said since; 0: none.
  std::uint64_t newest_told() {
    const auto hellos = of_kind(rig.said(), Kind::kHello);
    return hellos.empty() ? 0 : prefix_of(hellos.back()).seq;
  }
  void answer(std::uint64_t number) {
    rig.hear(
        numbered(Stranger::greet(Kind::kWelcome, stranger.greeting(), stranger.token()), number));
  }
  Frame hello_of(int where, std::uint64_t number) {
    proto::Greeting greeting = stranger.greeting();
    greeting.card = card(where);
    return numbered(Stranger::greet(Kind::kHello, greeting, stranger.token()), number);
  }

  StreamRig rig;
  Stranger stranger{2000};
};

TEST_F(CardsTest, answer_to_an_older_card_is_none_to_the_newest) {
  rig.meet(stranger);
  move(1);
  EXPECT_EQ(newest_told(), 1u);
  move(2);
  EXPECT_EQ(newest_told(), 2u);
  answer(1);
  rig.pass(util::kSecond);
  EXPECT_EQ(newest_told(), 2u) << "nobody has said that it is known";
  answer(2);
  rig.said();
  rig.pass(util::kSecond);
  rig.pass(util::kSecond);
  EXPECT_EQ(newest_told(), 0u);
}

TEST_F(CardsTest, peer_that_answers_our_first_greeting_is_told_what_has_changed_since) {
  rig.streams->greet(stranger.home);
  rig.settle();
  ASSERT_TRUE(stranger.read(rig.said()));
  move(1);
  rig.hear(stranger.welcome());
  EXPECT_EQ(newest_told(), 1u);
}

TEST_F(CardsTest, peer_that_has_read_our_answer_is_told_what_has_changed_since) {
  rig.hear(stranger.hello());
  ASSERT_TRUE(stranger.read(rig.said()));
  move(1);
  EXPECT_EQ(newest_told(), 0u) << "nothing is proven yet";
  rig.hear(stranger.frame(Kind::kAck, 0));
  EXPECT_EQ(newest_told(), 1u);
}

// It opens by the first answer; of the second one it takes no card.
TEST_F(CardsTest, peer_that_has_read_two_answers_is_told_what_has_changed_since_the_first) {
  rig.hear(stranger.hello());
  ASSERT_TRUE(stranger.read(rig.said()));
  move(1);
  rig.hear(stranger.hello());
  EXPECT_EQ(newest_told(), 0u);
  rig.hear(stranger.frame(Kind::kAck, 0));
  EXPECT_EQ(newest_told(), 1u);
}

TEST_F(CardsTest, older_card_that_comes_late_is_not_believed) {
  Session& session = rig.meet(stranger);
  rig.hear(hello_of(2, 2));
  EXPECT_EQ(prefix_of(of_kind(rig.said(), Kind::kWelcome).back()).seq, 2u);
  rig.hear(hello_of(1, 1));
  EXPECT_EQ(session.peer_card(), card(2));
  EXPECT_EQ(prefix_of(of_kind(rig.said(), Kind::kWelcome).back()).seq, 2u);
  EXPECT_EQ(rig.upper.cards, 1u);
}

}  // namespace
}  // namespace xs::stream::test
