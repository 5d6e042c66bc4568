// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A ring is left while there is no memory to copy out what stands in it alone: docs/paths.md
// section 5.
#include "alloc/failing_new.hpp"
#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

using xs::test::end_failing;
using xs::test::starve;

class StarvedTest : public RingTest {
 protected:
  // Three messages of ours that no idle frame of the pool has room for, and then no memory.
  StarvedTest() {
    join();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(commit(1000));
    rig.said();
    starve();
  }
  void TearDown() override {
    end_failing();
    RingTest::TearDown();
  }
  void expect_nothing_said() {
    EXPECT_TRUE(numbers_said().empty());
    EXPECT_TRUE(rig.upper.ended.empty());
    EXPECT_EQ(session->unacknowledged(), 3u);
    EXPECT_EQ(link.shares, 1u);
  }
  void expect_said_as_committed() {
    EXPECT_TRUE(end_failing()) << "memory was asked for";
    rig.pass(kQuiet);
    const auto said = of_kind(rig.said(), Kind::kEager);
    ASSERT_EQ(said.size(), 3u);
    const Frame body = eager(1, Frame(1000, std::byte{0x77}));
    for (std::size_t i = 0; i < said.size(); ++i) {
      EXPECT_EQ(prefix_of(said[i]).seq, i + 1);
      EXPECT_TRUE(std::ranges::equal(body_in(said[i]), body));
    }
  }
};

TEST_F(StarvedTest, what_stands_in_the_ring_waits_for_memory) {
  rig.hear(peer.left(1));
  for (int i = 0; i < 10; ++i) rig.pass(kQuiet);
  expect_nothing_said();
  EXPECT_EQ(link.mappings, 0u) << "the peer's is not needed";
  expect_said_as_committed();
  expect_nothing_stands();
  expect_goes_on();
}

TEST_F(StarvedTest, leaving_by_ourselves_waits_as_well) {
  session->leave(LeaveReason::kBudget);
  rig.pass(kQuiet);
  expect_nothing_said();
  rig.hear(peer.left(1, true));
  rig.pass(kQuiet);
  expect_nothing_said();
  expect_said_as_committed();
  expect_nothing_stands();
}

TEST_F(StarvedTest, lost_link_takes_nothing_away) {
  ASSERT_TRUE(put_letter());
  session->neighbour_lost(LeaveReason::kPaused);
  EXPECT_EQ(link.mappings, 0u) << "what was in it is taken";
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  rig.pass(kQuiet);
  expect_nothing_said();
  expect_said_as_committed();
  expect_nothing_stands();
}

TEST_F(StarvedTest, what_was_taken_needs_no_memory) {
  rig.hear(peer.left(1));
  rig.hear(peer.ack_up_to(4));
  rig.pass(kQuiet);
  EXPECT_EQ(session->unacknowledged(), 0u);
  expect_nothing_stands();
  EXPECT_TRUE(rig.upper.ended.empty());
}

// The next ring would take the place of the one that is still needed.
TEST_F(StarvedTest, newer_offer_waits) {
  rig.hear(peer.left(1));
  rig.hear(peer.say(peer.offer(link, 2)));
  rig.pass(kQuiet);
  expect_nothing_said();
  EXPECT_TRUE(of_kind(rig.said(), Kind::kOffer).empty());
  expect_said_as_committed();
  rig.pass(kQuiet);
  map_what_is_offered();
  rig.hear(peer.mapped(2));
  EXPECT_TRUE(session->writes_ring());
  EXPECT_EQ(numbers_in_ring(), (Numbers{1, 2, 3}));
}

TEST_F(StarvedTest, session_that_ends_leaves_nothing) {
  rig.hear(peer.left(1));
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  rig.pass(kQuiet);
  ASSERT_EQ(rig.upper.ended.size(), 1u);  // and with it went the session
  EXPECT_EQ(link.shares, 0u);
  EXPECT_EQ(link.mappings, 0u);
  EXPECT_EQ(rig.rings.in_use, 0u);
}

}  // namespace
}  // namespace xs::stream::test
