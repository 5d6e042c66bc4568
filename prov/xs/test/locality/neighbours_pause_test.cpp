// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a pause of this VM, or a peer's, does to those who have met.
#include "locality/neighbours_rig.hpp"

namespace xs::locality::test {
namespace {

struct NeighboursPauseTest : NeighboursTest {};

TEST_F(NeighboursPauseTest, pause_loses_who_is_in_another_vm) {
  introduce();
  const CardBytes before = one.card();
  one.hv->announce(true);
  pass();
  pass();
  EXPECT_EQ(one.ear.pauses, 1u);
  EXPECT_EQ(one.ear.moves, 0u);
  EXPECT_EQ(one.ear.lost_by_pause, 1u);
  EXPECT_EQ(two.ear.lost, 1u);
  EXPECT_TRUE(one.neighbours->paused());
  EXPECT_FALSE(one.neighbours->restless());
  EXPECT_TRUE(is_paused(one.card()));
  EXPECT_TRUE(same_life(one.card(), before));
  EXPECT_EQ(machine.standing().links, 0u);
  EXPECT_EQ(one.neighbours->meet(two.card()), nullptr);
  EXPECT_EQ(two.neighbours->meet(one.card()), nullptr);
  EXPECT_EQ(machine.standing().links, 0u);
  one.hv->announce(false);
  pass();
  EXPECT_EQ(one.ear.pauses, 2u);
  one.neighbours->meet(two.card());
  two.neighbours->meet(one.card());
  pass();
  EXPECT_EQ(two.ear.opened, 2u);
}

TEST_F(NeighboursPauseTest, what_is_still_mapped_is_restless) {
  introduce();
  auto share = std::move(*two.ear.newest->share(1));
  pass();
  auto mapping = std::move(*one.ear.newest->map(share->offer()));
  one.hv->announce(true);
  pass();
  EXPECT_TRUE(one.neighbours->restless());
  mapping.reset();
  EXPECT_FALSE(one.neighbours->restless());
}

// A link of before a pause may look open for a while: the card tells that it is not.
TEST_F(NeighboursPauseTest, card_of_after_a_pause_ends_the_older_acquaintance) {
  introduce();
  one.hv->announce(true);
  one.neighbours->look();
  one.hv->announce(false);
  one.neighbours->look();
  EXPECT_EQ(two.neighbours->meet(one.card()), nullptr);
  EXPECT_EQ(two.ear.lost, 1u);
  one.neighbours->meet(two.card());
  pass();
  EXPECT_EQ(two.ear.opened, 2u);
  EXPECT_EQ(two.ear.lost, 1u) << "once, whatever is heard of the older one";
}

// Endpoints of one domain hear of a peer's card one after the other.
TEST_F(NeighboursPauseTest, older_card_does_not_end_the_newer_acquaintance) {
  const CardBytes first = one.card();
  one.hv->announce(true);
  pass();
  const CardBytes paused = one.card();
  one.hv->announce(false);
  pass();
  introduce();
  EXPECT_EQ(two.neighbours->meet(first), two.ear.newest);
  EXPECT_EQ(two.neighbours->meet(paused), two.ear.newest);
  one.hv->move(0, sim::Sight::kFrozen, sim::Sight::kFrozen);
  pass();
  one.neighbours->meet(two.card());
  two.neighbours->meet(one.card());
  pass();
  ASSERT_EQ(two.ear.opened, 2u);
  EXPECT_EQ(two.neighbours->meet(first), nullptr) << "of an earlier life";
  EXPECT_EQ(two.ear.lost, 1u);
  EXPECT_EQ(two.neighbours->meet(one.card()), two.ear.newest);
}

TEST_F(NeighboursPauseTest, pause_leaves_who_is_in_the_same_vm) {
  one.hv->set_vm(5);
  two.hv->set_vm(5);
  introduce();
  for (const bool pause : {true, false}) {
    one.hv->announce(pause);
    pass();
    EXPECT_EQ(two.neighbours->meet(one.card()), two.ear.newest);
    two.hv->announce(pause);
    pass();
    EXPECT_EQ(one.neighbours->meet(two.card()), one.ear.newest);
  }
  EXPECT_EQ(one.ear.lost + two.ear.lost, 0u);
  EXPECT_EQ(one.ear.opened, 1u);
}

}  // namespace
}  // namespace xs::locality::test
