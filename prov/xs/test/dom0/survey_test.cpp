// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/survey.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "dom0/ctl/text.hpp"
#include "dom0/fake_machine.hpp"
#include "hv/fake/xen.hpp"
#include "hv/hv_rig.hpp"
#include "hv/xen/xen.hpp"

namespace xs::test {

namespace {

using dom0::State;

constexpr const char* kOne = "000000000000000a";
constexpr const char* kOther = "000000000000000b";

// Two guests with a process each that have met.
struct Pair : FakeMachine {
  Pair() {
    add(0, "Domain-0", State::kRunning);
    add(1, "u1");
    add(2, "u2");
    put(1, kOne, "xs1 1 f\nI 19c\nL 2 8\nP 000000000000000b 5 7\nR 12\n");
    put(2, kOther, "xs1 3 f\nI 7b\nL 1 8\nP 000000000000000a 7 5\nR 102\n");
  }
};

dom0::Survey look(FakeMachine& machine) {
  auto seen = survey(machine);
  EXPECT_TRUE(seen);
  return seen ? *seen : dom0::Survey();
}

TEST(Dom0Survey, FindsBothEndsOfAPair) {
  Pair machine;
  const dom0::Survey seen = look(machine);
  ASSERT_EQ(seen.domains.size(), 3u);
  EXPECT_EQ(seen.domains[1].name, "u1");
  EXPECT_TRUE(seen.domains[0].processes.empty());
  ASSERT_EQ(seen.domains[1].processes.size(), 1u);
  const dom0::Process& process = seen.domains[1].processes[0];
  EXPECT_EQ(process.id, 0xau);
  EXPECT_EQ(process.pid, 0x19cu);
  ASSERT_EQ(process.links.size(), 1u);
  const dom0::Link& link = process.links[0];
  EXPECT_EQ(link.peer, 0xbu);
  EXPECT_EQ(link.domain, 2u);
  EXPECT_EQ(link.pid, 0x7bu);
  EXPECT_TRUE(link.open);
  EXPECT_EQ(link.granted, 0x12u);
  EXPECT_EQ(link.taken, 0x102u);
  EXPECT_TRUE(link.has_rings());
  EXPECT_EQ(seen.domains[2].processes.at(0).links.at(0).taken, 0x12u);
}

TEST(Dom0Survey, WhoHasNotHeardOfTheOtherIsMeeting) {
  Pair machine;
  machine.put(2, kOther, "xs1 3 f\nL 1 8\nP 000000000000000a 7 0\nR 0\n");
  const dom0::Survey seen = look(machine);
  const dom0::Link& link = seen.domains[1].processes.at(0).links.at(0);
  EXPECT_FALSE(link.open);
  EXPECT_FALSE(link.has_rings());
  EXPECT_EQ(link.domain, 2u) << "it is expected there";
}

TEST(Dom0Survey, ALinkIsOpenBeforeItHasRings) {
  Pair machine;
  machine.put(2, kOther, "xs1 3 f\nL 1 8\nP 000000000000000a 7 5\nR 0\n");
  dom0::Survey seen = look(machine);
  EXPECT_TRUE(seen.domains[1].processes.at(0).links.at(0).open);
  EXPECT_FALSE(seen.domains[1].processes.at(0).links.at(0).has_rings());
  machine.put(2, kOther, "xs1 3 f\nL 1 8\nP 000000000000000a 7 5\n");
  seen = look(machine);
  EXPECT_FALSE(seen.domains[1].processes.at(0).links.at(0).taken) << "it doesn't say";
}

// Domain 3 says that it had the other process; it is not where the first one has peers.
TEST(Dom0Survey, ANameThatAStrangerHasTakenIsNotTheOthers) {
  Pair machine;
  machine.add(3, "liar");
  machine.put(3, kOther, "xs1 1 f\nI 666\nL 1 8\nP 000000000000000a 7 5\nR 999\n");
  const dom0::Survey seen = look(machine);
  EXPECT_EQ(seen.domains[1].processes.at(0).links.at(0).domain, 2u);
  EXPECT_EQ(seen.domains[1].processes.at(0).links.at(0).pid, 0x7bu);
  EXPECT_FALSE(seen.domains[3].processes.at(0).links.at(0).open) << "nobody there has met it";
}

TEST(Dom0Survey, APeerThatIsNowhereIsUnknown) {
  Pair machine;
  machine.nodes.erase("/local/domain/2/data/xs/000000000000000b");
  const dom0::Link link = look(machine).domains[1].processes.at(0).links.at(0);
  EXPECT_FALSE(link.domain);
  EXPECT_FALSE(link.pid);
  EXPECT_FALSE(link.open);
}

TEST(Dom0Survey, WhatIsNoNoteIsCounted) {
  Pair machine;
  machine.put(1, "nonsense", "xs1 1 f\n");
  machine.put(1, "000000000000000A", "xs1 1 f\n");
  machine.put(1, "00000000000000aa0", "xs1 1 f\n");
  machine.put(1, "000000000000000c", "no note");
  const dom0::Survey seen = look(machine);
  EXPECT_EQ(seen.domains[1].strange, 4u);
  EXPECT_EQ(seen.domains[1].processes.size(), 1u);
}

TEST(Dom0Survey, WhatAGuestSaysIsBounded) {
  Pair machine;
  std::string note = "xs1 1 f\n";
  for (int i = 0; i < 1000; ++i) note += "P " + dom0::hex(i + 100) + " 1 1\n";
  for (unsigned i = 0; i < 1000; ++i) machine.put(1, dom0::hex(i), note);
  machine.nodes["/local/domain/1/name"] = std::string(5000, 'x');
  const dom0::Survey seen = look(machine);
  EXPECT_EQ(seen.domains[1].processes.size(), dom0::kMostProcesses);
  EXPECT_EQ(seen.domains[1].strange, 1000 - dom0::kMostProcesses);
  for (const dom0::Process& process : seen.domains[1].processes)
    EXPECT_LE(process.links.size(), dom0::kMostLinks);
  EXPECT_EQ(seen.domains[1].name->size(), dom0::kLongestName);
}

TEST(Dom0Survey, AZombieIsHeldByWhoHasItsPagesMapped) {
  Pair machine;
  machine.add(7, "", State::kDying);
  machine.tables[7] = {{{0, 3, 0, 0}, {2, 40, 40, 38}}, 2, 64};
  machine.put(2, kOther, "xs1 3 f\nL 1 8\nL 7 9\n");
  const dom0::Survey seen = look(machine);
  ASSERT_EQ(seen.zombies.size(), 1u);
  EXPECT_EQ(seen.zombies[0].id, 7u);
  EXPECT_EQ(seen.zombies[0].pages, 256u);
  ASSERT_EQ(seen.zombies[0].holders.size(), 1u) << "dom0 has nothing mapped";
  EXPECT_EQ(seen.zombies[0].holders[0].domain, 2u);
  EXPECT_EQ(seen.zombies[0].holders[0].mapped, 38u);
  EXPECT_EQ(seen.zombies[0].holders[0].processes, std::vector<std::uint64_t>{0xb});
}

TEST(Dom0Survey, WithoutAGrantTableNotesTellWhoMayHoldAZombie) {
  Pair machine;
  machine.add(7, "", State::kDying);
  machine.put(1, kOne, "xs1 1 f\nL 7 9\n");
  const dom0::Survey seen = look(machine);
  ASSERT_EQ(seen.zombies.at(0).holders.size(), 1u);
  EXPECT_EQ(seen.zombies[0].holders[0].domain, 1u);
  EXPECT_EQ(seen.zombies[0].holders[0].mapped, 0u);
}

TEST(Dom0Survey, AMachineThatDoesNotAnswerIsAnError) {
  Pair machine;
  machine.broken = EIO;
  EXPECT_EQ(survey(machine).error().code, EIO);
  machine.broken = EACCES;
  EXPECT_FALSE(survey(machine)) << "of Xen, that is no node that isn't there";
}

// What hv/xen writes is understood here.
TEST(Dom0Survey, SeesProcessesAsTheyAre) {
  FakeXen xen;
  util::SystemRandom random;
  const auto open = [&](std::uint32_t domain) {
    const hv::Card card{
        .host = {1, domain}, .process = {random.next(), random.next()}, .generation = 1};
    return std::move(*hv::Xen::open(xen.connect(domain), card, random));
  };
  Told told;
  auto a = open(0), b = open(2);
  auto to_b = std::move(*a->meet(b->card())), to_a = std::move(*b->meet(a->card()));
  for (int i = 0; i < 20; ++i) {
    a->progress(told);
    b->progress(told);
  }
  Pair machine;
  for (const hv::Xen* each : {a.get(), b.get()}) {
    const std::string path = hv::node_of(each->card().domid, each->card().process).data();
    machine.nodes[path] = xen.value(path);
  }
  const dom0::Survey seen = look(machine);
  const dom0::Process& process = seen.domains[0].processes.at(0);
  EXPECT_EQ(process.id, a->card().process.high);
  EXPECT_EQ(process.links.at(0).peer, b->card().process.high);
  EXPECT_EQ(process.links.at(0).domain, 2u);
  EXPECT_TRUE(process.links.at(0).open);
}

}  // namespace

}  // namespace xs::test
