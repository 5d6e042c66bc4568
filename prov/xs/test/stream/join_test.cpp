// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a session comes to a ring: docs/paths.md sections 2, 3, 4 and what of 9 is about joining.
#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

class AnswererTest : public RingTest {};

// ---- The answerer ----

TEST_F(AnswererTest, joins_when_it_is_mapped) {
  offer(5);
  EXPECT_EQ(offered.epoch, 5u);
  EXPECT_TRUE(session->reads_ring());
  EXPECT_FALSE(session->writes_ring()) << "P1";
  commit();
  EXPECT_EQ(numbers_said(), Numbers{1});
  rig.hear(peer.mapped(5));
  EXPECT_TRUE(session->writes_ring());
  EXPECT_EQ(session->path_counters().joined, 1u);
  // What is not acknowledged comes again, new ones behind.
  commit();
  EXPECT_EQ(numbers_in_ring(), (Numbers{1, 2}));
  EXPECT_TRUE(numbers_said().empty());
}

TEST_F(AnswererTest, joins_at_a_frame_in_the_ring) {
  offer(1);
  ASSERT_TRUE(put_letter());
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 1u);
  EXPECT_TRUE(session->writes_ring());
  EXPECT_EQ(peer.taken_by_them(), 1u);
}

// Whose user needs no more for now, and goes away.
TEST_F(AnswererTest, says_what_it_took_where_each_look_found_a_batch) {
  join();
  unsigned all = 0;
  for (unsigned batch : {1u, 2u, 4u, 8u, 16u, 16u}) {
    for (unsigned i = 0; i < batch; ++i) ASSERT_TRUE(put_letter());
    rig.streams->progress();
    all += batch;
  }
  EXPECT_EQ(peer.taken_by_them(), all);
}

TEST_F(AnswererTest, says_the_same_to_the_same_offer) {
  const proto::Offer first = peer.offer(link, 1);
  rig.hear(peer.say(first));
  map_what_is_offered();
  rig.hear(peer.say(first));
  const auto again = of_kind(rig.said(), Kind::kOffer);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(proto::decode_offer(body_in(again[0]))->share, offered.share);
  EXPECT_EQ(link.shared, 1u);
}

// What the peer says again about rings comes its way, not ours: ours may be dead.
TEST_F(AnswererTest, offers_again_do_not_keep_our_way_to_the_peer) {
  const proto::Offer first = peer.offer(link, 1);
  commit();
  for (int i = 0; i < 40 && rig.inner.endpoints.size() == 1; ++i) {
    rig.hear(peer.say(first));
    rig.pass(kQuiet);
  }
  EXPECT_EQ(rig.inner.endpoints.size(), 2u) << "another lane is tried";
  EXPECT_TRUE(session->open());
}

TEST_F(AnswererTest, repeats_its_answer_ever_more_rarely) {
  offer(1);
  std::size_t said = 0;
  for (int i = 0; i < 64; ++i) {
    rig.pass(kQuiet);
    said += of_kind(rig.said(), Kind::kOffer).size();
  }
  EXPECT_GE(said, 4u);
  EXPECT_LE(said, 8u);
  rig.hear(peer.mapped(1));
  EXPECT_TRUE(session->writes_ring());
  rig.said();
  rig.pass(util::kSecond * 60);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kOffer).empty());
}

TEST_F(AnswererTest, mapped_again_is_nothing) {
  join();
  rig.said();
  rig.hear(peer.mapped(1));
  EXPECT_TRUE(rig.said().empty());
  EXPECT_EQ(session->path_counters().joined, 1u);
}

TEST_F(AnswererTest, mapped_without_an_offer_is_stale) {
  rig.hear(peer.mapped(1));
  expect_left(1, true, LeaveReason::kStale);
  expect_goes_on();
}

TEST_F(AnswererTest, mapped_of_another_epoch_is_stale) {
  join(3);
  rig.said();
  rig.hear(peer.mapped(2));
  expect_left(2, true, LeaveReason::kStale);
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(AnswererTest, waits_for_the_link) {
  session->neighbour_lost(LeaveReason::kLink);
  rig.hear(peer.say(peer.offer(link, 1)));
  const proto::Offer newest = peer.offer(link, 2);
  rig.hear(peer.say(newest));
  EXPECT_TRUE(rig.said().empty());
  become_neighbours();
  map_what_is_offered();
  EXPECT_EQ(offered.epoch, 2u);
}

TEST_F(AnswererTest, waits_for_the_pages) {
  const proto::Offer early = peer.offer(link, 1);
  const auto pages = std::exchange(link.theirs, {});
  rig.hear(peer.say(early));
  EXPECT_TRUE(rig.said().empty());
  link.theirs = pages;
  session->consider_ring(rig.clock.time);
  map_what_is_offered();
  EXPECT_EQ(link.shared, 1u);
}

TEST_F(AnswererTest, older_epoch_is_stale) {
  join(5);
  rig.said();
  rig.hear(peer.say(peer.offer(link, 4)));
  expect_left(4, true, LeaveReason::kStale);
  EXPECT_TRUE(session->writes_ring());
  link.theirs.clear();
}

TEST_F(AnswererTest, epoch_that_was_left_is_stale) {
  join(5);
  rig.hear(peer.left(5));
  rig.said();
  rig.hear(peer.say(peer.offer(link, 5)));
  expect_left(5, true, LeaveReason::kStale);
  expect_nothing_stands();
}

// LEFT of an epoch comes before its OFFER does.
TEST_F(AnswererTest, epoch_heard_of_as_left_is_stale) {
  rig.hear(peer.left(7));
  expect_left(7, true, LeaveReason::kAsked);
  rig.hear(peer.say(peer.offer(link, 7)));
  expect_left(7, true, LeaveReason::kStale);
  offer(8);
  EXPECT_TRUE(session->reads_ring());
}

TEST_F(AnswererTest, newer_offer_ends_the_ring_in_hand) {
  join(1);
  for (int i = 0; i < 3; ++i) commit();
  ASSERT_TRUE(put_letter());
  rig.said();
  rig.hear(peer.say(peer.offer(link, 2)));
  EXPECT_EQ(rig.upper.frames.size(), 1u) << "what stood there is taken";
  EXPECT_EQ(session->path_counters().left, 1u);
  EXPECT_EQ(link.shares, 1u);
  EXPECT_EQ(link.mappings, 1u);
  const auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 3u) << "replayed over the fabric";
  ASSERT_FALSE(of_kind(said, Kind::kOffer).empty());
  peer.map(link, *proto::decode_offer(body_in(of_kind(said, Kind::kOffer)[0])));
  rig.hear(peer.mapped(2));
  EXPECT_EQ(numbers_in_ring(), (Numbers{1, 2, 3}));
}

TEST_F(AnswererTest, newer_offer_ends_leaving) {
  join(1);
  session->leave(LeaveReason::kBudget);
  rig.settle();
  rig.said();
  offer(2);
  EXPECT_TRUE(session->reads_ring());
  EXPECT_EQ(link.shares, 1u);
  rig.hear(peer.left(1, true));
  EXPECT_TRUE(session->reads_ring()) << "the older one's end is told late";
}

TEST_F(AnswererTest, offer_of_what_it_leaves_is_told_so) {
  const proto::Offer first = peer.offer(link, 1);
  rig.hear(peer.say(first));
  map_what_is_offered();
  rig.hear(peer.mapped(1));
  session->leave(LeaveReason::kBudget);
  rig.said();
  rig.hear(peer.say(first));
  expect_left(1, false, LeaveReason::kStale);
}

TEST_F(AnswererTest, nothing_is_joined_after_our_goodbye) {
  session->say_goodbye();
  rig.said();
  rig.hear(peer.say(peer.offer(link, 1)));
  expect_left(1, true, LeaveReason::kStale);
  rig.hear(peer.mapped(1));
  expect_left(1, true, LeaveReason::kStale);
  expect_nothing_stands();
}

// It may have come a long way round: the peer must not believe that we have left what we write.
TEST_F(AnswererTest, offer_of_the_ring_that_our_goodbye_stands_in_is_answered_as_ever) {
  const proto::Offer first = peer.offer(link, 1);
  rig.hear(peer.say(first));
  map_what_is_offered();
  rig.hear(peer.mapped(1));
  session->say_goodbye();
  rig.said();
  rig.hear(peer.say(first));
  const auto said = rig.said();
  EXPECT_EQ(of_kind(said, Kind::kLeft).size(), 0u);
  EXPECT_EQ(of_kind(said, Kind::kOffer).size(), 1u);
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(AnswererTest, nothing_is_joined_after_their_goodbye) {
  rig.hear(peer.next(Kind::kGoodbye));
  rig.said();
  rig.hear(peer.say(peer.offer(link, 1)));
  expect_left(1, true, LeaveReason::kStale);
  expect_nothing_stands();
}

TEST_F(AnswererTest, nothing_is_joined_when_closed) {
  session->say_goodbye();
  ++peer.ack;
  rig.hear(peer.next(Kind::kGoodbye));
  ASSERT_EQ(session->state(), SessionState::kClosed);
  rig.said();
  rig.hear(peer.say(peer.offer(link, 1)));
  expect_left(1, true, LeaveReason::kStale);
  rig.hear(peer.mapped(1));
  expect_left(1, true, LeaveReason::kStale);
}

// ---- Sizes: section 4 ----

TEST_F(AnswererTest, share_is_no_larger_than_the_largest) {
  proto::Offer greedy = peer.offer(link, 1);
  greedy.wished = ~0u;
  rig.hear(peer.say(greedy));
  map_what_is_offered();
  EXPECT_EQ(offered.pages, 16u);
  EXPECT_EQ(rig.rings.in_use, 16 * hv::kPageSize);
}

TEST_F(AnswererTest, makes_no_frame_above_a_quarter) {
  const std::size_t before = session->largest_body();
  proto::Offer small = peer.offer(link, 1);
  small.wished = 1;
  rig.hear(peer.say(small));
  map_what_is_offered();
  EXPECT_LT(session->largest_body(), hv::kPageSize / 4);
  rig.hear(peer.left(1));
  EXPECT_EQ(session->largest_body(), before);
}

// A frame that the smallest ring can't hold keeps its sender on the fabric until it is taken.
TEST_F(AnswererTest, older_frame_that_does_not_fit_goes_first) {
  ASSERT_TRUE(commit(3900));
  proto::Offer small = peer.offer(link, 1);
  small.wished = 1;
  rig.hear(peer.say(small));
  map_what_is_offered();
  rig.hear(peer.mapped(1));
  EXPECT_FALSE(session->writes_ring());
  rig.hear(peer.ack_up_to(2));
  rig.pass(util::kMillisecond);
  EXPECT_TRUE(session->writes_ring());
  ASSERT_TRUE(commit());
  EXPECT_EQ(numbers_in_ring(), Numbers{2});
}

// ---- The proposer ----

TEST_F(ProposerTest, joins_when_it_is_answered) {
  make_us_offer();
  commit();
  EXPECT_EQ(numbers_said(), Numbers{1});
  rig.hear(peer.say(answer()));
  EXPECT_EQ(of_kind(rig.said(), Kind::kMapped).size(), 1u);
  EXPECT_TRUE(session->reads_ring());
  EXPECT_EQ(numbers_in_ring(), Numbers{1});
}

TEST_F(ProposerTest, repeats_its_offer_ever_more_rarely) {
  make_us_offer();
  std::size_t said = 0;
  for (int i = 0; i < 64; ++i) {
    rig.pass(kQuiet);
    said += of_kind(rig.said(), Kind::kOffer).size();
  }
  EXPECT_GE(said, 4u);
  EXPECT_LE(said, 8u);
  EXPECT_EQ(link.shared, 1u);
  expect_goes_on();
}

TEST_F(ProposerTest, answer_again_is_said_to_be_mapped) {
  make_us_offer();
  const proto::Offer answered = answer();
  rig.hear(peer.say(answered));
  rig.said();
  rig.hear(peer.say(answered));
  EXPECT_EQ(of_kind(rig.said(), Kind::kMapped).size(), 1u);
  EXPECT_EQ(session->path_counters().joined, 1u);
}

TEST_F(ProposerTest, answer_waits_for_the_pages) {
  make_us_offer();
  const proto::Offer answered = answer();
  const auto pages = std::exchange(link.theirs, {});
  rig.hear(peer.say(answered));
  EXPECT_FALSE(session->reads_ring());
  link.theirs = pages;
  session->consider_ring(rig.clock.time);
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(ProposerTest, epochs_are_not_named_by_the_other_side) {
  make_us_offer();
  EXPECT_EQ(offered.epoch, 1u);
  rig.hear(peer.say(peer.offer(link, 9)));
  expect_left(9, true, LeaveReason::kStale);
  rig.hear(peer.mapped(9));
  expect_left(9, true, LeaveReason::kStale);
  rig.hear(peer.mapped(1));
  expect_left(1, true, LeaveReason::kStale);
  EXPECT_EQ(link.mappings, 0u);
}

TEST_F(ProposerTest, refusal_postpones_the_next_offer) {
  make_us_offer();
  rig.hear(peer.left(1, true, static_cast<std::uint32_t>(LeaveReason::kRefused)));
  expect_nothing_stands();
  rig.said();
  for (int i = 0; i < 63; ++i) rig.hear(letter());
  rig.pass(kQuiet);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kOffer).empty());
  rig.hear(letter());
  rig.pass(kQuiet);
  const auto offers = of_kind(rig.said(), Kind::kOffer);
  ASSERT_FALSE(offers.empty());
  EXPECT_EQ(proto::decode_offer(body_in(offers[0]))->epoch, 2u) << "no epoch twice";
}

TEST_F(ProposerTest, moves_to_a_larger_ring) {
  join_ours();
  std::uint64_t number = 1;
  for (int i = 0; i < 64 * 4 * 4 * 2 && session->writes_ring(); ++i) {
    ASSERT_TRUE(commit(1000)) << i;
    ASSERT_EQ(peer.take()->head.number, number++);
    rig.pass(0);
  }
  expect_left(1, false, LeaveReason::kGrow);
  rig.hear(peer.left(1, true));
  rig.pass(0);
  commit();
  rig.pass(0);
  const auto offers = of_kind(rig.said(), Kind::kOffer);
  ASSERT_FALSE(offers.empty());
  EXPECT_EQ(proto::decode_offer(body_in(offers[0]))->pages, 16u);
  EXPECT_EQ(proto::decode_offer(body_in(offers[0]))->epoch, 2u);
}

TEST_F(ProposerTest, lacks_pages_quietly) {
  link.share_error = EMFILE;  // of which hv has told already
  become_neighbours();
  rig.hear(letter());
  rig.pass(util::kMillisecond);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kOffer).empty());
  expect_nothing_stands();
  expect_goes_on();
}

}  // namespace
}  // namespace xs::stream::test
