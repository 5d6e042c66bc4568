// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shares that prove nothing, and what is lacking: docs/paths.md section 9.
#include <functional>

#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

// What is wrong with an OFFER, or with us, when it comes.
struct Fault {
  const char* name;
  void (*make)(RingStranger& peer, ScriptedLink& link, proto::Offer& offer);
  LeaveReason told = LeaveReason::kRefused;
  // Of what we lack hv has warned.
  enum { kTheirs, kLacksToMap, kLacksAsAnswerer } whose = kTheirs;
  std::size_t warnings() const { return whose == kTheirs && told == LeaveReason::kRefused ? 1 : 0; }
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

void rewrite(RingStranger& peer, const ring::Terms& terms) {
  (void)ring::OwnRegion::prepare(peer.ours->span(), terms);
}

const Fault kFaults[] = {
    {"proves_nothing",
     [](RingStranger&, ScriptedLink& link, proto::Offer&) { link.map_error = EBADMSG; }},
    {"lost_link",
     [](RingStranger&, ScriptedLink& link, proto::Offer&) { link.map_error = ENOTCONN; },
     LeaveReason::kLink},
    {"other_size", [](RingStranger&, ScriptedLink&, proto::Offer& offer) { ++offer.pages; }},
    {"impossible_size",
     [](RingStranger&, ScriptedLink&, proto::Offer& offer) { offer.pages = ~0u; }},
    {"other_epoch",
     [](RingStranger& peer, ScriptedLink&, proto::Offer&) {
       ++peer.terms.epoch;
       rewrite(peer, peer.terms);
     }},
    {"other_nonce",
     [](RingStranger& peer, ScriptedLink&, proto::Offer&) {
       peer.terms.nonce[0] ^= std::byte{1};
       rewrite(peer, peer.terms);
     }},
    {"nothing_written",
     [](RingStranger& peer, ScriptedLink&, proto::Offer&) { peer.ours->fill(std::byte{0}); }},
    {"all_ones",
     [](RingStranger& peer, ScriptedLink&, proto::Offer&) { peer.ours->fill(std::byte{0xff}); }},
    {"other_cells",
     [](RingStranger& peer, ScriptedLink&, proto::Offer&) { *peer.ours->word(8) += 1ull << 32; }},
    {"no_descriptors_to_map",
     [](RingStranger&, ScriptedLink& link, proto::Offer&) { link.map_error = EMFILE; },
     LeaveReason::kRefused, Fault::kLacksToMap},
    {"no_memory_to_map",
     [](RingStranger&, ScriptedLink& link, proto::Offer&) { link.map_error = ENOMEM; },
     LeaveReason::kRefused, Fault::kLacksToMap},
    {"no_descriptors",
     [](RingStranger&, ScriptedLink& link, proto::Offer&) { link.share_error = EMFILE; },
     LeaveReason::kRefused, Fault::kLacksAsAnswerer},
    {"no_memory",
     [](RingStranger&, ScriptedLink& link, proto::Offer&) { link.share_error = ENOMEM; },
     LeaveReason::kRefused, Fault::kLacksAsAnswerer},
};

void mend(ScriptedLink& link) { link.share_error = link.map_error = 0; }
std::string name_of(const testing::TestParamInfo<Fault>& info) { return info.param.name; }

class RefusingTest : public RingTest, public testing::WithParamInterface<Fault> {
 protected:
  void offer_badly(std::uint64_t epoch) {
    proto::Offer bad = peer.offer(link, epoch);
    GetParam().make(peer, link, bad);
    rig.hear(peer.say(bad));
    link.theirs.clear();
  }
};

TEST_P(RefusingTest, answerer_says_so_and_goes_on) {
  const std::uint64_t faults = GetParam().told == LeaveReason::kRefused ? 1 : 0;
  offer_badly(1);
  expect_left(1, true, GetParam().told);
  expect_nothing_stands();
  EXPECT_EQ(warnings.count(), GetParam().warnings());
  EXPECT_EQ(session->path_counters().faults, faults);
  expect_goes_on();
  // Told once, counted always.
  offer_badly(2);
  EXPECT_EQ(warnings.count(), GetParam().warnings());
  EXPECT_EQ(session->path_counters().faults, 2 * faults);
  // A good one is taken all the same.
  mend(link);
  rig.said();
  join(3);
}

TEST_P(RefusingTest, same_epoch_is_refused_again) {
  offer_badly(1);
  mend(link);
  rig.said();
  rig.hear(peer.say(peer.offer(link, 1)));
  expect_left(1, true, LeaveReason::kStale);
  link.theirs.clear();
}

// Of the peer's first one the session warns all the same.
TEST_F(RingTest, what_we_lack_hides_no_fault_of_the_peer) {
  link.share_error = ENOMEM;
  rig.hear(peer.say(peer.offer(link, 1)));
  EXPECT_EQ(warnings.count(), 0u);
  link.share_error = 0;
  link.theirs.clear();
  proto::Offer bad = peer.offer(link, 2);
  ++bad.pages;
  rig.hear(peer.say(bad));
  EXPECT_EQ(warnings.count(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Fault, RefusingTest, testing::ValuesIn(kFaults), name_of);

class RefusedAnswerTest : public ProposerTest, public testing::WithParamInterface<Fault> {};

TEST_P(RefusedAnswerTest, proposer_leaves_and_goes_on) {
  make_us_offer();
  proto::Offer bad = answer();
  GetParam().make(peer, link, bad);
  rig.hear(peer.say(bad));
  expect_left(1, false, GetParam().told);
  EXPECT_EQ(session->path_counters().left, 1u);
  // It says so until that is answered, and nothing waits for it.
  rig.pass(kQuiet);
  EXPECT_EQ(lefts().size(), 1u);
  expect_goes_on();
  session->neighbour_lost(LeaveReason::kLink);
  expect_nothing_stands();
  EXPECT_EQ(warnings.count(), GetParam().warnings());
}

INSTANTIATE_TEST_SUITE_P(Fault, RefusedAnswerTest, testing::ValuesIn([] {
                           std::vector<Fault> any;
                           for (const Fault& each : kFaults)
                             if (each.whose != Fault::kLacksAsAnswerer) any.push_back(each);
                           return any;
                         }()),
                         name_of);

class BudgetTest : public RingTest {
 protected:
  BudgetTest() : RingTest(Role::kAnswerer, {.first = 16384, .largest = 16384, .memory = 16384}) {}
};

// Who used his ring lately keeps it; the newcomer stays on the fabric.
TEST_F(BudgetTest, newcomer_is_refused) {
  join();
  ScriptedLink other_link;
  RingStranger other(2001);
  Session& second = rig.meet(other);
  second.neighbour_open(other_link);
  rig.said();
  rig.hear(other.say(other.offer(other_link, 1)));
  expect_left(1, true, LeaveReason::kBudget);
  EXPECT_TRUE(session->writes_ring());
  EXPECT_EQ(other_link.shares, 0u);
  EXPECT_EQ(other_link.mappings, 0u);
}

TEST_F(BudgetTest, unused_ring_makes_room) {
  join();
  ScriptedLink other_link;
  RingStranger other(2001);
  Session& second = rig.meet(other);
  second.neighbour_open(other_link);
  rig.pass(2 * util::kSecond);
  rig.said();
  rig.hear(other.say(other.offer(other_link, 1)));
  const auto said = lefts();
  ASSERT_GE(said.size(), 1u);
  EXPECT_EQ(said[0].reason, static_cast<std::uint32_t>(LeaveReason::kBudget));
  rig.hear(peer.left(1, true));
  EXPECT_EQ(rig.rings.in_use, 0u);
  rig.hear(other.say(other.offer(other_link, 2)));
  EXPECT_TRUE(second.reads_ring());
  EXPECT_EQ(rig.rings.in_use, 16384u);
  rig.streams.reset();
}

// ---- Storms ----

class StormTest : public RingTest {};

TEST_F(StormTest, newer_offers) {
  for (std::uint64_t epoch = 1; epoch <= 1000; ++epoch) {
    rig.hear(peer.say(peer.offer(link, epoch)));
    ASSERT_LE(link.shares, 1u);
    ASSERT_LE(link.mappings, 1u);
    ASSERT_LE(rig.rings.in_use, 4 * hv::kPageSize);
  }
  EXPECT_TRUE(session->reads_ring());
  EXPECT_EQ(warnings.count(), 0u);
}

TEST_F(StormTest, stale_offers) {
  join(1000);
  rig.said();
  for (std::uint64_t epoch = 1; epoch < 1000; ++epoch) {
    rig.hear(peer.say(proto::Offer{.epoch = epoch, .share = {}, .pages = 4, .wished = 4}));
    expect_left(epoch, true, LeaveReason::kStale);
  }
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(StormTest, same_offer) {
  const proto::Offer same = peer.offer(link, 1);
  for (int i = 0; i < 1000; ++i) rig.hear(peer.say(same));
  EXPECT_EQ(of_kind(rig.said(), Kind::kOffer).size(), 1000u);
  EXPECT_EQ(link.shared, 1u);
}

// Pages that never come cost nothing.
TEST_F(StormTest, offers_without_pages) {
  for (std::uint64_t epoch = 1; epoch <= 1000; ++epoch) {
    rig.hear(peer.say(proto::Offer{.epoch = epoch, .share = {}, .pages = 4, .wished = 4}));
    session->consider_ring(rig.clock.time);
  }
  EXPECT_EQ(link.shared, 0u);
  EXPECT_EQ(rig.streams->frames(), 0u);
  expect_goes_on();
}

TEST_F(StormTest, lefts) {
  join();
  rig.said();
  for (std::uint64_t epoch = 2; epoch <= 1000; ++epoch) {
    rig.hear(peer.left(epoch));
    expect_left(epoch, true, LeaveReason::kAsked);
  }
  for (std::uint64_t epoch = 2; epoch <= 1000; ++epoch) rig.hear(peer.left(epoch, true));
  EXPECT_TRUE(rig.said().empty()) << "answers are not answered";
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(StormTest, mappeds) {
  for (std::uint64_t epoch = 1; epoch <= 1000; ++epoch) {
    rig.hear(peer.mapped(epoch));
    expect_left(epoch, true, LeaveReason::kStale);
  }
  join(1);
}

// What can't even be read is no OFFER, and ends the session.
TEST_F(StormTest, offer_of_epoch_0_is_a_lie) {
  rig.hear(peer.say(proto::Offer{.epoch = 0, .share = {}, .pages = 4, .wished = 4}));
  EXPECT_EQ(rig.upper.ended, std::vector<int>{EPROTO});
}

}  // namespace
}  // namespace xs::stream::test
