// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/xen among liars: cards, notes, references and pages that are not what they claim to be, or
// change and vanish while they are looked at. Whatever it is, nothing stays behind.
#include <cerrno>
#include <vector>

#include "hv/xen/pages.hpp"
#include "hv/xen_rig.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

class HvXenLies : public HvXen {
 protected:
  struct Standing {
    std::size_t pages, nodes, watches, mapped;
    bool operator==(const Standing&) const = default;
  };
  static Standing of(FakeXen& machine, std::uint32_t domain, const Party& party) {
    const FakeXen::Used used = machine.used(domain);
    return {used.pages, used.nodes, used.watches, party.calls->mapped()};
  }
  // b's offer, or what a test made of it, costs a nothing.
  void expect_refused(const hv::Offer& offer, int error, LinkState then = LinkState::kOpen) {
    const Standing before = of(machine_, 1, a_);
    EXPECT_EQ(a_.link->map(offer).error().code, error);
    EXPECT_EQ(a_.link->state(), then);
    Standing after = of(machine_, 1, a_);
    if (then == LinkState::kLost) ++after.mapped;  // the life page
    EXPECT_EQ(after, before);
  }
  void end() {
    a_.link.reset();
    b_.link.reset();
    const Standing a = of(machine_, 1, a_), b = of(machine_, 2, b_);
    EXPECT_EQ(a.pages + a.mapped + b.pages + b.mapped, 0u);
    EXPECT_EQ(a.watches, 1u);
    a_.xen.reset();
    b_.xen.reset();
    EXPECT_EQ(machine_.used(1).watches, 1u) << "of the connection, which lives as long as the test";
    EXPECT_EQ(machine_.used(1).nodes, 1u) << "an empty directory";
  }
  static hv::GrantName name_of(const std::unique_ptr<hv::Share>& share) {
    return hv::decode_grant(share->offer());
  }
};

// ---- Cards and notes ----

TEST_F(HvXenLies, AWrongDomidMeetsNobody) {
  begin();
  Party third = party(3);
  for (const std::uint32_t domid : {3u, 77u, ~1u}) {
    hv::Card card = b_.xen->card();
    card.domid = domid;
    a_.link = std::move(*a_.xen->meet(card));
    meet(b_, a_);
    const Warnings warnings;
    for (int i = 0; i < 10; ++i) move_both();
    EXPECT_EQ(a_.link->state(), LinkState::kMeeting);
    EXPECT_EQ(a_.link->share(1).error().code, EAGAIN);
    EXPECT_EQ(warnings.count(), 0u);
    a_.link.reset();
    b_.link.reset();
  }
  EXPECT_EQ(a_.told.openings + b_.told.openings, 0u);
  end();
}

TEST_F(HvXenLies, APeerThatNeverAnswersCostsAPageAndALine) {
  begin();
  meet(a_, b_);
  const Warnings warnings;
  for (int i = 0; i < 10; ++i) move_both();
  EXPECT_EQ(machine_.used(1).pages, 1u);
  EXPECT_EQ(a_.calls->mapped(), 0u);
  EXPECT_EQ(a_.told.openings + a_.told.losses, 0u);
  EXPECT_EQ(warnings.count(), 0u);
  end();
}

// Of another process, of another domain, or none at all.
TEST_F(HvXenLies, ALifePageOfSomebodyElseOpensNothing) {
  begin();
  Party other = party(2);
  meet(other, a_);
  meet(b_, a_);
  meet(a_, b_);
  for (int i = 0; i < 4; ++i) move(other);
  settle();
  const std::string theirs = machine_.value(node_of(other));
  const std::size_t at = theirs.find("L 1 ");
  ASSERT_NE(at, std::string::npos);
  const std::string of_other = theirs.substr(at, theirs.find('\n', at) - at + 1);
  a_.link.reset();
  meet(a_, b_);
  for (const std::string& life : {of_other, std::string("L 1 ffffffff\n"), std::string("L 3 8\n"),
                                  std::string("L 1 0\n"), std::string()}) {
    char peer[64];
    std::snprintf(peer, sizeof peer, "P %016lx 1 2\n", a_.xen->card().process.high);
    machine_.put(node_of(b_), "xs1 1 1\n" + life + peer);
    for (int i = 0; i < 4; ++i) move(a_);
    EXPECT_EQ(a_.link->state(), LinkState::kMeeting) << life;
    EXPECT_EQ(a_.calls->mapped(), 0u) << life;
  }
  EXPECT_GE(a_.xen->counters().elsewhere, 3u);
  other.link.reset();
  end();
}

// At every step of the acquaintance, for good or for a while.
TEST_F(HvXenLies, ANodeThatVanishesHalfWayLeavesNothing) {
  for (unsigned step = 0; step < 8; ++step) {
    begin();
    meet(a_, b_);
    meet(b_, a_);
    for (unsigned i = 0; i < step; ++i) i % 2 == 0 ? move(a_) : move(b_);
    auto share = b_.link->share(3);
    machine_.remove(node_of(b_));
    const Warnings warnings;
    for (int i = 0; i < 10; ++i) move(a_);
    EXPECT_NE(a_.link->state(), LinkState::kOpen) << step;
    EXPECT_EQ(a_.calls->mapped(), 0u) << step;
    if (share) {
      EXPECT_NE(a_.link->map((*share)->offer()).error().code, 0);
      (*share).reset();
    }
    EXPECT_EQ(warnings.count(), 0u) << step;
    EXPECT_LE(a_.told.losses, 1u);
    a_.link.reset();
    b_.link.reset();
    EXPECT_EQ(machine_.used(1).pages + machine_.used(2).pages, 0u) << step;
    EXPECT_EQ(a_.calls->mapped() + b_.calls->mapped(), 0u) << step;
  }
}

TEST_F(HvXenLies, NonsenseInANoteIsToldOnce) {
  begin();
  meet();
  const Warnings warnings;
  machine_.put(node_of(b_), "nonsense");
  EXPECT_TRUE(until([&] { return a_.told.losses == 1; }));
  EXPECT_EQ(a_.told.why, Loss::kGone);
  a_.link.reset();
  meet(a_, b_);
  machine_.put(node_of(b_), std::string(2000, 'x'));
  for (int i = 0; i < 4; ++i) move(a_);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_GE(a_.xen->counters().nonsense, 2u);
  end();
}

// ---- Offers ----

TEST_F(HvXenLies, OffersOfNothingOrTooMuchAreNotMapped) {
  begin();
  meet();
  auto share = b_.link->share(3);
  hv::GrantName name = name_of(*share);
  hv::Offer ones;
  ones.fill(std::byte{0xff});
  expect_refused(ones, EAGAIN);
  name.number = 0;
  expect_refused(hv::encode(name), EAGAIN);
  name = name_of(*share);
  for (const std::uint32_t pages : {0u, std::uint32_t{hv::kMostPages} + 1, ~0u}) {
    name.pages = pages;
    expect_refused(hv::encode(name), EAGAIN);
  }
  (*share).reset();
  end();
}

TEST_F(HvXenLies, AnOfferOfAnotherSizeIsALie) {
  begin();
  meet();
  auto share = b_.link->share(3);
  hv::GrantName name = name_of(*share);
  name.pages = 2;
  const Warnings warnings;
  expect_refused(hv::encode(name), EBADMSG, LinkState::kLost);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(a_.xen->counters().bad_pages, 1u);
  (*share).reset();
  end();
}

// Granted to somebody else, by somebody else, or given back and used for another share.
TEST_F(HvXenLies, ForeignAndStaleReferencesAreNotMapped) {
  begin();
  meet();
  Party third = party(3);
  meet(third, b_);
  auto back = b_.xen->meet(third.xen->card());
  EXPECT_TRUE(until([&] {
    move(third);
    return third.told.openings == 1 && (*back)->state() == LinkState::kOpen;
  }));
  auto for_third = (*back)->share(2);
  auto of_third = third.link->share(2);
  auto gone = b_.link->share(2);
  ASSERT_TRUE(for_third && of_third && gone);
  const hv::Offer stale = (*gone)->offer();
  (*gone).reset();
  for (const hv::Offer& offer : {(*for_third)->offer(), (*of_third)->offer(), stale})
    expect_refused(offer, EAGAIN);
  (*for_third).reset();
  (*of_third).reset();
  (*back).reset();
  third.link.reset();
  end();
}

// ---- Pages that change while they are looked at ----

class HvXenChanging : public HvXenLies {
 protected:
  // Before the so many-th mapping from now on.
  void at(unsigned which, std::function<void()> change) {
    machine_.at_map = [this, which, change = std::move(change)](std::uint32_t,
                                                                std::uint32_t) mutable {
      if (++mappings_ == which) change();
    };
  }
  // Of the second page's reference, or of the first one in the list.
  void scribble(const hv::GrantName& name, std::size_t where, unsigned byte) {
    machine_.scribble(2, name.head, where, static_cast<std::byte>(byte));
  }
  unsigned mappings_ = 0;
};

TEST_F(HvXenChanging, WhatIsRevokedOrReplacedBetweenTwoLooksIsNotMapped) {
  begin();
  meet();
  struct Change {
    std::size_t where;
    unsigned byte;
  };
  for (const Change& change : {Change{36, 1}, Change{8, 0x7f}, Change{16, 0x7f}, Change{0, 0}}) {
    auto share = b_.link->share(3);
    mappings_ = 0;
    at(2, [&] { scribble(name_of(*share), change.where, change.byte); });
    expect_refused((*share)->offer(), EAGAIN);
    EXPECT_EQ(mappings_, 2u);
  }
  end();
}

TEST_F(HvXenChanging, WhatIsGivenBackBetweenTwoLooksIsNotMapped) {
  begin();
  meet();
  for (const std::size_t pages : {3u, 20u})
    for (unsigned which = 1; which <= (pages > 6 ? 3u : 2u); ++which) {
      auto share = b_.link->share(pages);
      const hv::Offer offer = (*share)->offer();
      mappings_ = 0;
      at(which, [&] { (*share).reset(); });
      expect_refused(offer, EAGAIN);
      EXPECT_EQ(mappings_, which);
    }
  machine_.at_map = nullptr;
  end();
}

TEST_F(HvXenChanging, AListThatChangesMapsNothing) {
  begin();
  meet();
  auto share = b_.link->share(20);
  at(2, [&] { scribble(name_of(*share), 41, 0xff); });
  auto mapping = a_.link->map((*share)->offer());
  EXPECT_TRUE(mapping) << "the copy of the head that was looked at is the one that is used";
  mappings_ = 0;
  at(1, [&] { scribble(name_of(*share), 42, 0xff); });
  if (mapping) (*mapping).reset();
  auto second = b_.link->share(20);
  mappings_ = 0;
  at(1, [&] { scribble(name_of(*second), 41, 0xff); });
  expect_refused((*second)->offer(), EAGAIN);
  machine_.at_map = nullptr;
  (*share).reset();
  (*second).reset();
  end();
}

}  // namespace

}  // namespace xs::test
