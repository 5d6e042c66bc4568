// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the processes of a VM that do not know each other divide the pages that it may grant:
// docs/budgets.md, "Pages of a VM". 64 of them in 4 VMs: `xs-sim --guests`.
#include <cerrno>
#include <vector>

#include "hv/xen_rig.hpp"

namespace xs::test {

namespace {

class HvXenBudget : public HvXen {
 protected:
  // Meets a process in that domain that never answers.
  std::unique_ptr<hv::Link> meet_somebody(Party& party, std::uint32_t domain) {
    hv::Card card{.host = {1, domain},
                  .process = {random_.next(), random_.next()},
                  .domid = domain,
                  .generation = 1};
    auto link = party.xen->meet(card);
    EXPECT_TRUE(link);
    return link ? std::move(*link) : nullptr;
  }
  static std::size_t pages(const Party& party) { return party.xen->budget()->pages; }
  static std::string mate(std::uint32_t domain, const std::string& name) {
    return "/local/domain/" + std::to_string(domain) + "/data/xs-here/" + name;
  }
};

TEST_F(HvXenBudget, AProcessAloneHasAllButWhatIsKeptForLives) {
  begin();
  EXPECT_EQ(pages(a_), 0u) << "it has met nobody";
  meet();
  EXPECT_EQ(pages(a_), 1024u - 128 - 8);
  EXPECT_EQ(a_.link->budget()->links, 1u);
}

TEST_F(HvXenBudget, PartsAreEqualAndFollowWhoComesAndGoes) {
  begin();
  meet();
  const unsigned before = a_.told.budgets;
  Party second = party(1), elsewhere = party(3);
  auto link = meet_somebody(second, 2), other = meet_somebody(elsewhere, 2);
  settle();
  EXPECT_EQ(pages(second), 440u);
  EXPECT_EQ(pages(a_), 440u);
  EXPECT_EQ(pages(elsewhere), 888u) << "it is another VM's";
  EXPECT_EQ(a_.told.budgets, before + 1);
  link.reset();
  second.xen.reset();
  settle();
  EXPECT_EQ(pages(a_), 888u);
  EXPECT_EQ(a_.told.budgets, before + 2);
}

TEST_F(HvXenBudget, WhoSharesWithNobodyElsewhereTakesNoPart) {
  begin();
  meet();
  Party idle = party(1);
  settle();
  EXPECT_EQ(pages(a_), 888u);
}

TEST_F(HvXenBudget, AKilledProcessIsCountedUntilTheNextOneComes) {
  begin();
  meet();
  Party killed = party(1);
  auto link = meet_somebody(killed, 2);
  settle();
  killed.calls->kill();
  link.reset();
  killed.xen.reset();
  settle();
  EXPECT_EQ(pages(a_), 440u);
  Party next = party(1);
  auto other = meet_somebody(next, 2);
  EXPECT_EQ(pages(next), 440u);
  settle();
  EXPECT_EQ(pages(a_), 440u);
  EXPECT_EQ(machine_.used(1).names, 2u) << "of two, its node has gone";
}

TEST_F(HvXenBudget, OthersThatCantBeSeenCount) {
  begin();
  machine_.put(mate(1, "00000000000000ff"), "1");  // of another network namespace
  machine_.put(mate(1, "nonsense"), "");
  meet();
  EXPECT_EQ(pages(a_), 440u);
  EXPECT_EQ(machine_.value(mate(1, "00000000000000ff")), "1");
}

TEST_F(HvXenBudget, NoMoreIsSharedThanThat) {
  machine_.quota(1).pages = 64;  // 7/8 of it, and 8 for lives: 48
  begin();
  meet();
  const Warnings warnings;
  const hv::Budget& budget = *a_.link->budget();
  EXPECT_EQ(budget.left(), 48u);
  EXPECT_EQ(a_.link->share(48).error().code, EAGAIN) << "and a list of references";
  auto most = a_.link->share(47);
  ASSERT_TRUE(most);
  EXPECT_EQ(budget.in_use, 48u);
  EXPECT_EQ(a_.link->cost(47), 48u);
  EXPECT_EQ(a_.link->share(1).error().code, EAGAIN);
  (*most)->revoke();
  EXPECT_EQ(budget.leaving, 48u);
  EXPECT_EQ(budget.left(), 0u) << "it stands until it is given back";
  (*most).reset();
  EXPECT_EQ(budget.in_use + budget.leaving, 0u);
  EXPECT_TRUE(a_.link->share(6));
  EXPECT_EQ(warnings.count(), 0u);
  EXPECT_EQ(a_.xen->counters().exhausted, 0u);
}

TEST_F(HvXenBudget, WhatStandsMayBeMoreThanTheBudgetForAWhile) {
  begin();
  meet();
  auto large = a_.link->share(500);
  ASSERT_TRUE(large);
  Party second = party(1);
  auto link = meet_somebody(second, 2);
  settle();
  EXPECT_EQ(a_.link->budget()->left(), 0u);
  EXPECT_EQ(a_.link->budget()->in_use, 501u);
  (*large).reset();
  EXPECT_EQ(a_.link->budget()->left(), 440u);
}

TEST_F(HvXenBudget, SharesOutliveTheirBackend) {
  begin();
  meet();
  auto share = a_.link->share(2);
  a_.link.reset();
  a_.xen.reset();
  (*share)->bytes()[0] = std::byte{1};
  (*share).reset();
  EXPECT_EQ(machine_.used(1).pages, 0u);
}

TEST_F(HvXenBudget, AFixedPartIsKeptWhoeverComes) {
  a_ = party(1, 64);
  b_ = party(2);
  meet();
  EXPECT_EQ(pages(a_), 56u);
  Party second = party(1);
  auto link = meet_somebody(second, 2);
  settle();
  EXPECT_EQ(pages(a_), 56u);
  EXPECT_EQ(pages(second), 440u) << "it counts all the same";
}

TEST_F(HvXenBudget, LinksAreCountedWhileTheyAreOpen) {
  begin();
  meet();
  auto silent = meet_somebody(a_, 2);
  settle();
  EXPECT_EQ(a_.link->budget()->links, 1u);
  b_.link.reset();
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
  EXPECT_EQ(a_.xen->budget()->links, 0u);
  a_.link.reset();
  EXPECT_EQ(a_.xen->budget()->links, 0u);
}

// Each has links to as many domains as it may: most are without a watch, all without rings, and all
// of them live.
TEST_F(HvXenBudget, EverybodyHasALife) {
  constexpr unsigned kProcesses = 60;  // descriptors bound them here
  machine_.quota(1).pages = 512;
  std::vector<Party> parties;
  std::vector<std::unique_ptr<hv::Link>> links;
  for (unsigned i = 0; i < kProcesses; ++i) {
    parties.push_back(party(1));
    ASSERT_TRUE(parties.back().xen);
    for (std::uint32_t domain = 2; domain < 2 + hv::Xen::kMostDomains; ++domain)
      links.push_back(meet_somebody(parties.back(), domain));
  }
  EXPECT_EQ(machine_.used(1).pages, 480u);
  EXPECT_LE(machine_.peak(1).watches, machine_.quota(1).watches);
  EXPECT_EQ(pages(parties.back()), 0u) << "and no rings";
  links.clear();
}

// Who can't watch counts once a second.
TEST_F(HvXenBudget, ADeafProcessCountsNowAndThen) {
  machine_.quota(1).watches = 0;
  begin();
  meet();
  Party second = party(1);
  auto link = meet_somebody(second, 2);
  EXPECT_TRUE(until([&] { return pages(a_) == 440; }));
}

TEST_F(HvXenBudget, AMoveCountsAnew) {
  begin();
  meet();
  Party second = party(1);
  auto link = meet_somebody(second, 2);
  settle();
  machine_.move(1, 9);
  EXPECT_TRUE(until([&] { return a_.told.moves == 1; }));
  EXPECT_EQ(pages(a_), 888u) << "it is the first to come";
  EXPECT_EQ(a_.xen->budget()->links, 0u);
  while (move(second) || move_both()) {
  }
  EXPECT_EQ(second.told.moves, 1u);
  EXPECT_EQ(pages(a_), 440u);
  EXPECT_EQ(pages(second), 440u);
}

}  // namespace

}  // namespace xs::test
