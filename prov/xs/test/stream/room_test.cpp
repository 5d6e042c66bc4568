// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which sessions have rings where pages are few: docs/paths.md section 4, Budget.
#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

// A session with another stranger, over a link of its own and the same budget.
struct Other {
  Other(StreamRig& rig, hv::Budget& budget, std::uint16_t port) : stranger(port) {
    link.limited = &budget;
    session = &rig.meet(stranger);
    session->owner = &rig;
    session->neighbour_open(link);
    ++budget.links;
    rig.said();
  }
  ScriptedLink link;
  RingStranger stranger;
  Session* session;
};

class RoomTest : public RingTest {
 protected:
  RoomTest(Role ours = Role::kAnswerer, const RingLimits& limits = kWide) : RingTest(ours, limits) {
    link.limited = &budget;
  }
  static constexpr RingLimits kWide{
      .first = 4 * hv::kPageSize, .largest = 16 * hv::kPageSize, .memory = 1u << 20};

  // What that one offers is answered with so many pages; 0: it is refused.
  std::uint32_t answered(Other& other, std::uint64_t epoch, std::uint32_t wished = 4) {
    proto::Offer offer = other.stranger.offer(other.link, epoch);
    offer.wished = wished;
    rig.hear(other.stranger.say(offer));
    const auto offers = of_kind(rig.said(), Kind::kOffer);
    if (offers.empty()) return 0;
    const proto::Offer theirs = *proto::decode_offer(body_in(offers.back()));
    other.stranger.map(other.link, theirs);
    rig.hear(other.stranger.mapped(epoch));
    return theirs.pages;
  }
  void send(Other& other, unsigned frames) {
    for (unsigned i = 0; i < frames; ++i)
      rig.hear(other.stranger.next(Kind::kEager, eager(1, text("x"))));
    rig.said();
  }
  void put(Other& other, unsigned frames) {
    for (unsigned i = 0; i < frames; ++i) {
      ASSERT_TRUE(other.stranger.put_next(Kind::kEager, eager(1, text("x"))));
      rig.settle();
    }
  }

  hv::Budget budget{.pages = 12, .in_use = 0, .leaving = 0, .links = 0};
};

TEST_F(RoomTest, a_ring_begins_with_its_links_part) {
  Other a(rig, budget, 2001);
  EXPECT_EQ(answered(a, 1), 4u);
  EXPECT_EQ(budget.in_use, 5u) << "with its list";
  Other b(rig, budget, 2002), c(rig, budget, 2003), d(rig, budget, 2004);
  EXPECT_EQ(answered(b, 1), 3u);
  EXPECT_EQ(answered(c, 1), 3u);
  EXPECT_EQ(answered(d, 1), 1u) << "what is left";
  EXPECT_EQ(budget.in_use, 12u);
  rig.streams.reset();
}

TEST_F(RoomTest, a_ring_has_at_least_a_page) {
  Other a(rig, budget, 2001);
  budget.links = 100;
  EXPECT_EQ(answered(a, 1), 1u);
  rig.streams.reset();
}

TEST_F(RoomTest, without_pages_there_is_no_ring) {
  budget.pages = 0;
  Other a(rig, budget, 2001);
  EXPECT_EQ(answered(a, 1), 0u);
  EXPECT_EQ(a.link.mappings, 0u);
  EXPECT_EQ(warnings.count(), 0u);
  rig.streams.reset();
}

TEST_F(RoomTest, who_rests_makes_room_and_who_rested_longest_first) {
  budget.pages = 2;
  Other a(rig, budget, 2001), b(rig, budget, 2002), c(rig, budget, 2003);
  ASSERT_EQ(answered(a, 1), 1u);
  rig.pass(10 * util::kMillisecond);
  ASSERT_EQ(answered(b, 1), 1u);
  EXPECT_EQ(answered(c, 1), 0u) << "all were used";
  EXPECT_TRUE(a.session->reads_ring() && b.session->reads_ring());
  rig.pass(2 * util::kSecond);
  EXPECT_EQ(answered(c, 2), 0u);
  EXPECT_FALSE(a.session->reads_ring());
  EXPECT_TRUE(b.session->reads_ring());
  EXPECT_EQ(answered(c, 3), 0u) << "the region comes back with the peer's answer";
  EXPECT_TRUE(b.session->reads_ring()) << "one is enough";
  rig.hear(a.stranger.left(1, true));
  EXPECT_EQ(answered(c, 4), 1u);
  rig.streams.reset();
}

// Its region never comes back.
TEST_F(RoomTest, who_never_answers_is_not_the_last_to_be_asked) {
  budget.pages = 2;
  Other a(rig, budget, 2001), b(rig, budget, 2002), c(rig, budget, 2003);
  ASSERT_EQ(answered(a, 1), 1u);
  rig.pass(10 * util::kMillisecond);
  ASSERT_EQ(answered(b, 1), 1u);
  rig.pass(2 * util::kSecond);
  EXPECT_EQ(answered(c, 1), 0u);
  EXPECT_TRUE(!a.session->reads_ring() && b.session->reads_ring());
  rig.pass(2 * util::kSecond);
  EXPECT_EQ(answered(c, 2), 0u);
  EXPECT_FALSE(b.session->reads_ring());
  rig.hear(b.stranger.left(1, true));
  EXPECT_EQ(answered(c, 3), 1u);
  rig.streams.reset();
}

TEST_F(RoomTest, who_talks_more_takes_the_place_of_who_talks_less) {
  budget.pages = 2;
  Other a(rig, budget, 2001), b(rig, budget, 2002), c(rig, budget, 2003);
  ASSERT_EQ(answered(a, 1), 1u);
  ASSERT_EQ(answered(b, 1), 1u);
  EXPECT_EQ(answered(c, 1), 0u);
  // Nobody rests.
  for (int i = 0; i < 12; ++i) {
    rig.pass(100 * util::kMillisecond);
    put(a, 3);
    put(b, 1);
    send(c, 4);
  }
  EXPECT_EQ(answered(c, 2), 0u);
  EXPECT_TRUE(a.session->reads_ring()) << "c has less than twice as much";
  EXPECT_FALSE(b.session->reads_ring());
  rig.hear(b.stranger.left(1, true));
  EXPECT_EQ(answered(c, 3), 1u);
  rig.streams.reset();
}

TEST_F(RoomTest, a_large_ring_must_be_used_the_more) {
  budget.pages = 5;
  Other a(rig, budget, 2001);
  ASSERT_EQ(answered(a, 1), 4u);
  Other b(rig, budget, 2002);
  EXPECT_EQ(answered(b, 1), 0u);
  for (int i = 0; i < 12; ++i) {
    rig.pass(100 * util::kMillisecond);
    put(a, 4);
    send(b, 4);
  }
  EXPECT_EQ(answered(b, 2), 0u);
  EXPECT_FALSE(a.session->reads_ring()) << "as many frames, but four pages for them";
  rig.hear(a.stranger.left(1, true));
  EXPECT_EQ(answered(b, 3), 2u);
  rig.streams.reset();
}

TEST_F(RoomTest, counts_of_long_ago_say_nothing) {
  budget.pages = 1;
  Other a(rig, budget, 2001), b(rig, budget, 2002);
  ASSERT_EQ(answered(a, 1), 1u);
  send(b, 50);
  for (int i = 0; i < 50; ++i) {
    rig.pass(100 * util::kMillisecond);
    put(a, 1);
  }
  EXPECT_EQ(answered(b, 1), 0u);
  EXPECT_TRUE(a.session->reads_ring());
  rig.streams.reset();
}

// The largest above their part go first, then who rested longest.
TEST_F(RoomTest, a_smaller_budget_is_kept) {
  Other a(rig, budget, 2001);
  ASSERT_EQ(answered(a, 1), 4u);
  Other b(rig, budget, 2002), c(rig, budget, 2003);
  ASSERT_EQ(answered(b, 1, 1), 1u);
  rig.pass(util::kMillisecond);
  ASSERT_EQ(answered(c, 1, 1), 1u);
  budget.pages = 6;
  rig.streams->keep_budget();
  EXPECT_FALSE(a.session->reads_ring());
  EXPECT_TRUE(b.session->reads_ring() && c.session->reads_ring());
  EXPECT_EQ(budget.leaving, 5u);
  rig.streams->keep_budget();
  EXPECT_TRUE(b.session->reads_ring()) << "what is on its way back counts";
  budget.pages = 1;
  rig.streams->keep_budget();
  EXPECT_FALSE(b.session->reads_ring());
  EXPECT_TRUE(c.session->reads_ring());
  budget.pages = 0;
  rig.streams->keep_budget();
  EXPECT_FALSE(c.session->reads_ring());
  EXPECT_EQ(warnings.count(), 0u);
  rig.streams.reset();
}

TEST_F(RoomTest, links_without_a_budget_are_left_alone) {
  budget.pages = 1;
  Other a(rig, budget, 2001);
  Other near(rig, budget, 2002);
  near.link.limited = nullptr;
  ASSERT_EQ(answered(near, 1), 4u);
  ASSERT_EQ(answered(a, 1), 1u);
  rig.pass(2 * util::kSecond);
  Other b(rig, budget, 2003);
  EXPECT_EQ(answered(b, 1), 0u);
  EXPECT_TRUE(near.session->reads_ring());
  EXPECT_FALSE(a.session->reads_ring());
  budget.pages = 0;
  rig.streams->keep_budget();
  EXPECT_TRUE(near.session->reads_ring());
  rig.streams.reset();
}

// ---- Growth ----

class GrowthTest : public RoomTest {
 protected:
  GrowthTest() : RoomTest(Role::kProposer) { budget.links = 12; }
  // Joins a ring of so many pages of ours.
  void join_ours(std::uint32_t pages, std::uint64_t epoch = 1) {
    if (epoch == 1) become_neighbours();
    rig.hear(letter());
    rig.pass(util::kMillisecond);
    const auto offers = of_kind(rig.said(), Kind::kOffer);
    ASSERT_EQ(offers.size(), 1u);
    offered = *proto::decode_offer(body_in(offers[0]));
    EXPECT_EQ(offered.pages, pages);
    rig.hear(peer.say(answer()));
    ASSERT_TRUE(session->writes_ring());
    rig.said();
  }
  // Moves that many bytes through the peer's ring.
  void move(std::size_t bytes) {
    const Frame body = eager(1, Frame(200, std::byte{1}));
    for (std::size_t moved = 0; moved < bytes && session->reads_ring(); moved += body.size()) {
      ASSERT_TRUE(peer.put_next(Kind::kEager, body));
      rig.settle();
    }
    rig.streams->look_everywhere();
    rig.pass(util::kMillisecond);
  }
  bool grows() {
    const auto said = lefts();
    return !said.empty() && said[0].reason == static_cast<std::uint32_t>(LeaveReason::kGrow);
  }
  static constexpr std::size_t kMuch = 64 * hv::kPageSize;
};

TEST_F(GrowthTest, grows_by_and_by_with_what_is_left) {
  budget.pages = 20;
  join_ours(1);
  move(kMuch);
  EXPECT_TRUE(grows());
  rig.hear(peer.left(1, true));
  join_ours(4, 2);
  move(4 * kMuch);
  EXPECT_TRUE(grows());
  rig.hear(peer.left(2, true));
  join_ours(16, 3);
  move(20 * kMuch);
  EXPECT_FALSE(grows()) << "it is the largest";
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(GrowthTest, with_much_left_it_is_the_largest_at_once) {
  budget.pages = 40;
  budget.links = 40;
  join_ours(1);
  move(kMuch);
  EXPECT_TRUE(grows());
  rig.hear(peer.left(1, true));
  join_ours(16, 2);
}

TEST_F(GrowthTest, without_room_it_stays_and_asks_again) {
  budget.pages = 2;
  join_ours(1);
  budget.in_use += 1;
  move(kMuch);
  EXPECT_TRUE(session->writes_ring());
  budget.in_use -= 1;
  move(kMuch);
  EXPECT_TRUE(grows());
  rig.hear(peer.left(1, true));
  join_ours(2, 2);
}

TEST_F(GrowthTest, who_rests_makes_room_for_growth) {
  budget.pages = 4;
  RingStranger idle_peer(2001);
  idle_peer.life = {7, 2001};
  Other idle(rig, budget, 2001);
  ASSERT_EQ(answered(idle, 1, 1), 1u);
  budget.in_use += 1;  // of others
  rig.pass(2 * util::kSecond);
  join_ours(1);
  budget.in_use += 1;
  move(kMuch);
  EXPECT_TRUE(session->writes_ring()) << "there is no room yet";
  EXPECT_FALSE(idle.session->reads_ring());
  rig.hear(idle.stranger.left(1, true));
  rig.said();
  budget.in_use -= 1;
  move(kMuch);
  EXPECT_TRUE(grows());
  budget.in_use -= 1;
  rig.streams.reset();
}

// The answerer gives more than a part only to who grows.
TEST_F(RoomTest, growth_is_answered_with_what_is_left) {
  Other a(rig, budget, 2001);
  budget.links = 12;
  ASSERT_EQ(answered(a, 1, 8), 1u);
  rig.hear(a.stranger.left(1, false, static_cast<std::uint32_t>(LeaveReason::kGrow)));
  rig.said();
  EXPECT_EQ(answered(a, 2, 8), 8u);
  rig.hear(a.stranger.left(2, false, static_cast<std::uint32_t>(LeaveReason::kBudget)));
  rig.said();
  EXPECT_EQ(answered(a, 3, 8), 1u);
  rig.streams.reset();
}

}  // namespace
}  // namespace xs::stream::test
