// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who is met, and who is told of it, over the simulated hypervisor.
#include "locality/neighbours_rig.hpp"

#include <poll.h>

namespace xs::locality::test {
namespace {

TEST_F(NeighboursTest, card_names_its_process) {
  EXPECT_EQ(process_of(one.card()), one.name());
  EXPECT_EQ(process_of(CardBytes{}), std::nullopt);
}

TEST_F(NeighboursTest, both_are_told_when_both_have_met) {
  EXPECT_EQ(one.neighbours->meet(two.card()), nullptr);
  pass();
  EXPECT_EQ(one.ear.opened, 0u) << "one alone is no acquaintance";
  EXPECT_EQ(two.neighbours->meet(one.card()), nullptr);
  pass();
  EXPECT_EQ(one.ear.opened, 1u);
  EXPECT_EQ(one.ear.last, two.name());
  EXPECT_EQ(two.ear.opened, 1u);
  EXPECT_EQ(two.ear.last, one.name());
}

TEST_F(NeighboursTest, who_is_known_is_not_met_again) {
  introduce();
  EXPECT_EQ(one.neighbours->meet(two.card()), one.ear.newest);
  EXPECT_EQ(one.ear.opened, 1u);
  EXPECT_EQ(machine.standing().links, 2u);
}

TEST_F(NeighboursTest, who_is_being_met_is_met_once) {
  one.neighbours->meet(two.card());
  EXPECT_EQ(one.neighbours->meet(two.card()), nullptr);
  EXPECT_EQ(machine.standing().links, 1u);
}

TEST_F(NeighboursTest, who_is_dead_is_not_met_any_more) {
  one.neighbours->meet(two.card());
  one.neighbours->forget(far.card());
  one.neighbours->forget(CardBytes{});
  one.ear.talks = true;
  one.neighbours->forget(two.card());
  EXPECT_EQ(machine.standing().links, 1u) << "another session has to do with it";
  one.ear.talks = false;
  one.neighbours->forget(two.card());
  EXPECT_EQ(machine.standing().links, 0u);
  EXPECT_EQ(one.ear.lost, 1u);
  introduce();
  one.neighbours->forget(two.card());
  EXPECT_EQ(machine.standing().links, 2u) << "whose end will be heard of";
}

TEST_F(NeighboursTest, who_announces_a_move_hears_when_peers_know) {
  one.ear.know_card = false;
  one.hv->announce(true);
  pass();
  EXPECT_TRUE(one.neighbours->untold());
  EXPECT_FALSE(one.hv->told());
  one.ear.know_card = true;
  pass();
  EXPECT_FALSE(one.neighbours->untold());
  EXPECT_TRUE(one.hv->told());
  one.hv->announce(false);
  pass();
  EXPECT_FALSE(one.hv->told());
  EXPECT_FALSE(one.neighbours->untold());
}

TEST_F(NeighboursTest, who_lives_elsewhere_is_nobody) {
  EXPECT_EQ(one.neighbours->meet(far.card()), nullptr);
  EXPECT_EQ(machine.standing().links, 0u);
  EXPECT_EQ(one.neighbours->counters().elsewhere, 1u);
}

TEST_F(NeighboursTest, no_card_is_nobody) {
  EXPECT_EQ(one.neighbours->meet(CardBytes{}), nullptr);
  CardBytes garbage;
  garbage.fill(std::byte{0xa5});
  EXPECT_EQ(one.neighbours->meet(garbage), nullptr);
  EXPECT_EQ(machine.standing().links, 0u);
}

TEST_F(NeighboursTest, own_card_is_nobody) {
  EXPECT_EQ(one.neighbours->meet(one.card()), nullptr);
  EXPECT_EQ(machine.standing().links, 0u);
}

TEST_F(NeighboursTest, lacking_leaves_nothing_and_may_be_tried_again) {
  one.hv->lack(EMFILE, clock.time + 1);
  EXPECT_EQ(one.neighbours->meet(two.card()), nullptr);
  EXPECT_EQ(machine.standing().links, 0u);
  clock.time += 2;
  introduce();
}

TEST_F(NeighboursTest, every_listener_is_told) {
  Ear second, third;
  one.neighbours->add(second);
  one.neighbours->add(third);
  one.neighbours->remove(third);
  introduce();
  EXPECT_EQ(second.opened, 1u);
  EXPECT_EQ(third.opened, 0u);
  one.neighbours->remove(second);
}

TEST_F(NeighboursTest, shares_are_told) {
  introduce();
  auto share = two.ear.newest->share(1);
  ASSERT_TRUE(share);
  pass();
  EXPECT_EQ(one.ear.shares, 1u);
  EXPECT_EQ(two.ear.shares, 0u);
}

TEST_F(NeighboursTest, who_dies_is_lost_and_forgotten) {
  introduce();
  two.hv->kill();
  pass();
  EXPECT_EQ(one.ear.lost, 1u);
  EXPECT_EQ(one.ear.lost_by_move, 0u);
  EXPECT_EQ(one.ear.last, two.name());
  EXPECT_EQ(machine.standing().links, 1u) << "the dead one's own";
  pass();
  EXPECT_EQ(one.ear.lost, 1u);
}

// It had met us by our newest card already, and hears of a pause of ours that is long over.
TEST_F(NeighboursTest, who_parts_for_what_it_heard_late_is_met_again) {
  introduce();
  one.ear.meets_again = [&] { one.neighbours->meet(two.card()); };
  hv::Card late = one.hv->card();
  ++late.pauses;
  EXPECT_EQ(two.neighbours->meet(hv::encode(late)), nullptr);
  ++late.pauses;
  EXPECT_EQ(two.neighbours->meet(hv::encode(late)), nullptr);
  for (int i = 0; i < 3; ++i) pass();
  EXPECT_EQ(one.ear.parted, 1u);
  EXPECT_EQ(one.ear.opened, 2u);
  EXPECT_EQ(two.ear.opened, 2u);
}

TEST_F(NeighboursTest, who_does_not_open_again_is_not_met_a_third_time) {
  introduce();
  one.ear.meets_again = [&, card = two.card()] { one.neighbours->meet(card); };
  two.neighbours.reset();
  for (int i = 0; i < 4; ++i) pass();
  EXPECT_EQ(one.ear.parted, 1u);
}

TEST_F(NeighboursTest, who_parts_is_lost) {
  introduce();
  two.neighbours.reset();
  pass();
  EXPECT_EQ(one.ear.lost, 1u);
}

TEST_F(NeighboursTest, own_move_loses_everybody) {
  introduce();
  const CardBytes before = one.card();
  one.hv->move(0, sim::Sight::kFrozen, sim::Sight::kOnes);
  pass();
  EXPECT_EQ(one.ear.moves, 1u);
  EXPECT_EQ(one.ear.lost, 1u);
  EXPECT_EQ(one.ear.lost_by_move, 1u);
  EXPECT_NE(one.card(), before) << "to be told to peers";
  EXPECT_EQ(process_of(one.card()), one.name());
  EXPECT_EQ(two.ear.lost, 1u);
  EXPECT_EQ(two.ear.lost_by_move, 0u);
  EXPECT_EQ(machine.standing().links, 0u);
  // And they can meet again.
  one.neighbours->meet(two.card());
  two.neighbours->meet(one.card());
  pass();
  EXPECT_EQ(one.ear.opened, 2u);
  EXPECT_EQ(two.ear.opened, 2u);
}

// The peer's new card comes in a greeting before its loss is told here.
TEST_F(NeighboursTest, newer_card_ends_the_older_acquaintance) {
  introduce();
  two.hv->move(0, sim::Sight::kFrozen, sim::Sight::kFrozen);
  two.neighbours->look();
  ASSERT_EQ(two.ear.moves, 1u);
  EXPECT_EQ(one.neighbours->meet(two.card()), nullptr);
  EXPECT_EQ(one.ear.lost, 1u);
  EXPECT_EQ(one.ear.lost_by_move, 0u);
  two.neighbours->meet(one.card());
  pass();
  EXPECT_EQ(one.ear.opened, 2u);
  EXPECT_EQ(one.ear.lost, 1u) << "once, whatever is heard of the older one";
}

TEST_F(NeighboursTest, card_of_another_host_ends_it_too) {
  introduce();
  two.hv->move(1, sim::Sight::kFrozen, sim::Sight::kFrozen);
  two.neighbours->look();
  EXPECT_EQ(one.neighbours->meet(two.card()), nullptr);
  EXPECT_EQ(one.ear.lost, 1u);
  pass();
  EXPECT_EQ(one.ear.opened, 1u);
  EXPECT_EQ(one.ear.lost, 1u);
}

// Each look is a system call: it is due by turns, or when time has passed.
TEST_F(NeighboursTest, looks_now_and_then) {
  introduce();
  one.neighbours->turn(clock.time);
  auto share = two.ear.newest->share(1);
  ASSERT_TRUE(share);
  clock.time += util::kSecond;
  const util::Nanoseconds coarse = 1;
  one.neighbours->turn(coarse);  // another time than the last one
  EXPECT_EQ(one.ear.shares, 1u);
  auto second = two.ear.newest->share(1);
  ASSERT_TRUE(second);
  clock.time += util::kSecond;
  unsigned turns = 0;
  while (one.ear.shares == 1 && turns < 1000) one.neighbours->turn(coarse), ++turns;
  EXPECT_EQ(turns, 64u);
}

// ---- More often while somebody is being met ----

TEST_F(NeighboursTest, looks_at_every_turn_while_somebody_is_met) {
  one.neighbours->turn(clock.time);
  one.neighbours->meet(two.card());
  const util::Nanoseconds coarse = clock.time;
  for (int i = 0; i < 100; ++i) one.neighbours->turn(coarse);
  two.neighbours->meet(one.card());
  clock.time += util::kSecond;
  one.neighbours->turn(coarse);
  EXPECT_EQ(one.ear.opened, 1u);
}

// He may never come, and a look is a system call.
TEST_F(NeighboursTest, looks_at_every_turn_have_their_end) {
  one.neighbours->turn(clock.time);
  one.neighbours->meet(two.card());
  const util::Nanoseconds coarse = clock.time;
  for (int i = 0; i < 64 * 64; ++i) one.neighbours->turn(coarse);
  two.neighbours->meet(one.card());
  clock.time += util::kSecond;
  unsigned turns = 0;
  while (one.ear.opened == 0 && turns < 1000) one.neighbours->turn(coarse), ++turns;
  EXPECT_GT(turns, 32u);
  EXPECT_LE(turns, 64u);
}

TEST_F(NeighboursTest, descriptor_is_readable_when_there_is_something) {
  const auto readable = [&] {
    struct pollfd fd {
      one.neighbours->descriptor(), POLLIN, 0
    };
    return poll(&fd, 1, 0) == 1;
  };
  EXPECT_FALSE(readable());
  one.neighbours->meet(two.card());
  two.neighbours->meet(one.card());
  clock.time += util::kSecond;
  EXPECT_TRUE(readable());
  one.neighbours->look();
  EXPECT_FALSE(readable());
}

}  // namespace
}  // namespace xs::locality::test
