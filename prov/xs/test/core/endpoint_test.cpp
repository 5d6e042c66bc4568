// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Parting: what a closing endpoint waits for.
#include "core/endpoint.hpp"

#include <gtest/gtest.h>

#include <array>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::Kind;

struct PartingTest : testing::Test {
  PartingTest() {
    rig.meet(peer);
    // Known to the sender too, with one message taken by the peer.
    EXPECT_EQ(rig.send(to, message, 0, nullptr), Status::kOk);
    rig.hear(peer.ack_up_to(2));
    rig.said();
  }
  bool parted() {
    const bool done = rig.endpoint->parted();
    rig.settle();
    return done;
  }

  Rig rig;
  Stranger peer{2000};
  PeerAddress to = rig.address_of(peer);
  std::array<std::byte, 10> message{};
};

TEST_F(PartingTest, waits_until_the_goodbye_is_acknowledged) {
  rig.endpoint->part();
  EXPECT_FALSE(parted());
  EXPECT_EQ(of_kind(rig.said(), Kind::kGoodbye).size(), 1u);
  rig.hear(peer.ack_up_to(3));
  EXPECT_TRUE(parted());
}

// Who has said goodbye itself may be gone by the time that ours comes: it has nothing more to tell.
TEST_F(PartingTest, goodbyes_that_cross_need_no_acknowledgement) {
  rig.endpoint->part();
  EXPECT_FALSE(parted());
  rig.hear(peer.next(Kind::kGoodbye, {}, proto::kAckNow));
  EXPECT_TRUE(parted());
}

TEST_F(PartingTest, messages_before_the_goodbye_need_it) {
  ASSERT_EQ(rig.send(to, message, 0, nullptr), Status::kOk);
  rig.endpoint->part();
  EXPECT_FALSE(parted());
  rig.hear(peer.next(Kind::kGoodbye, {}, proto::kAckNow));
  EXPECT_FALSE(parted());
  rig.hear(peer.ack_up_to(3));
  EXPECT_TRUE(parted());
}

// An inner provider may take a frame long before it sends it, and forget it when it is closed.
TEST_F(PartingTest, leaves_when_the_last_frames_have_left) {
  rig.inner.held = true;
  rig.endpoint->part();
  EXPECT_FALSE(parted());
  rig.hear(peer.next(Kind::kGoodbye, {}, proto::kAckNow));
  EXPECT_FALSE(parted());
  const auto said = rig.said();
  ASSERT_FALSE(of_kind(said, Kind::kGoodbye).empty());
  ASSERT_FALSE(of_kind(said, Kind::kAck).empty());
  for (const Handed& each : said)
    if (each.operation) rig.home().ends(*each.operation, 0);
  rig.settle();
  EXPECT_TRUE(parted());
}

// But it does not wait for ever for one that does not send.
TEST_F(PartingTest, waits_a_quiet_interval_for_the_last_frames) {
  rig.inner.held = true;
  rig.endpoint->part();
  EXPECT_FALSE(parted());
  rig.hear(peer.next(Kind::kGoodbye, {}, proto::kAckNow));
  EXPECT_FALSE(parted());
  rig.pass(rig.config.quiet);
  EXPECT_TRUE(parted());
}

// Or the peer would wait in vain for the end of its linger.
TEST_F(PartingTest, leaves_no_acknowledgement_unsaid) {
  rig.endpoint->part();
  EXPECT_FALSE(parted());
  rig.inner.answer = carrier::Posted::kAgain;
  rig.hear(peer.next(Kind::kGoodbye, {}, proto::kAckNow));
  EXPECT_FALSE(parted());
  rig.inner.answer = carrier::Posted::kOk;
  rig.settle();
  EXPECT_TRUE(parted());
  EXPECT_FALSE(of_kind(rig.said(), Kind::kAck).empty());
}

}  // namespace
}  // namespace xs::core::test
