// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a peer may leave here unmatched, and what ends one that leaves more.
#include <gtest/gtest.h>

#include <array>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::Kind;

Config small_room() {
  Config config = rig_config();
  config.unexpected = 1000;
  return config;
}

struct FloodTest : testing::Test {
  FloodTest() { rig.meet(peer); }

  Frame letter(std::size_t size) {
    return peer.next(Kind::kEager, eager(1, Frame(size)), proto::kTagged);
  }
  Frame rts() {
    return peer.next(Kind::kRts, body_of(proto::Rts{{1, 0}, 4096, ++send_id}), proto::kTagged);
  }
  bool lied() const { return rig.counters().lies > 0; }

  Rig rig{small_room()};
  Stranger peer{2000};
  std::uint64_t send_id = 0;
};

TEST_F(FloodTest, peers_are_asked_to_announce_only) {
  for (int i = 0; i < 4; ++i) rig.hear(letter(1));
  const auto acks = of_kind(rig.said(), Kind::kAck);
  ASSERT_FALSE(acks.empty());
  EXPECT_FALSE(prefix_of(acks.back()).flags & proto::kRtsOnly);
  // Heads count as well: messages of a byte fill memory, too.
  for (int i = 0; i < 4; ++i) rig.hear(letter(1));
  EXPECT_TRUE(prefix_of(of_kind(rig.said(), Kind::kAck).back()).flags & proto::kRtsOnly);
}

TEST_F(FloodTest, early_messages_have_a_bound) {
  const std::size_t window = rig.config.window * (rig.config.eager + sizeof(Unexpected));
  std::size_t most = 0;
  for (int i = 0; i < 1000 && !lied(); ++i) {
    rig.hear(letter(i % 2 ? 1024 : 0));
    most = std::max(most, rig.endpoint->receiver().unexpected_bytes());
  }
  EXPECT_TRUE(lied());
  EXPECT_GT(most, rig.config.unexpected + 2 * window);  // an honest peer has that much
  EXPECT_LT(most, rig.config.unexpected + 5 * window);
}

TEST_F(FloodTest, announcements_have_a_bound) {
  for (std::size_t i = 0; i < kSendLimit; ++i) rig.hear(rts());
  EXPECT_FALSE(lied());
  rig.hear(rts());
  EXPECT_TRUE(lied());
}

TEST_F(FloodTest, matched_announcements_make_room) {
  std::array<std::byte, 1> room;
  for (std::size_t i = 0; i < kSendLimit; ++i) rig.hear(rts());
  ASSERT_EQ(rig.receive(room, 1, nullptr), Status::kOk);
  rig.hear(rts());
  EXPECT_FALSE(lied());
}

// Announcements of ended sessions wait for their receives, but not without end.
TEST_F(FloodTest, coming_back_makes_no_room) {
  for (int life = 1; life <= 3; ++life) {
    for (std::size_t i = 0; i < kSendLimit; ++i) rig.hear(rts());
    rig.hear(peer.reset(proto::ResetReason::kEnded));
    const Peer& known = *rig.endpoint->peers().at(peer.home);
    EXPECT_EQ(known.announcements, kSendLimit);
    EXPECT_EQ(known.dead_announcements, kSendLimit);
    peer.nonce += 1;
    peer.seq = peer.ack = 1;
    rig.meet(peer);
  }
  EXPECT_FALSE(lied());
}

}  // namespace
}  // namespace xs::core::test
