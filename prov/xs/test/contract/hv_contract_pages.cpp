// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Pages that one side writes and the other reads.
#include <cerrno>

#include "contract/hv_contract.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;

namespace {

TEST_P(HvContract, WhatOneWritesTheOtherReads) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  for (const std::size_t pages : {1u, 2u, 17u, 65u}) {
    const Seen forth = show(a, pair.a, b, pair.b, pages);
    const Seen back = show(b, pair.b, a, pair.a, pages);
    const std::size_t size = pages * hv::kPageSize - hv::kHeadSize;
    EXPECT_EQ(b.sum(forth.mapping), std::to_string(size) + " 0") << "zeroed";
    a.put(forth.share, 0, "0102030405060708");
    a.put(forth.share, size - 8, "1112131415161718");
    b.put(back.share, size / 2, "ff");
    EXPECT_EQ(b.get(forth.mapping, 0, 8), "0102030405060708");
    EXPECT_EQ(b.get(forth.mapping, size - 8, 8), "1112131415161718");
    EXPECT_EQ(a.get(back.mapping, size / 2, 1), "ff");
    EXPECT_EQ(a.sum(back.mapping), std::to_string(size) + " 255");
    for (HvParty* each : {&a, &b}) {
      each->unshare((each == &a ? forth : back).share);
      each->unmap((each == &a ? back : forth).mapping);
    }
  }
}

TEST_P(HvContract, TheReaderCannotWrite) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  EXPECT_EQ(b.rights(show(a, pair.a, b, pair.b, 2).mapping), "r--s");
}

TEST_P(HvContract, PagesOutliveTheLinkOnBothSides) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  const Seen seen = show(a, pair.a, b, pair.b, 2);
  a.leave(pair.a);
  b.leave(pair.b);
  settle();
  a.put(seen.share, 5, "2a");
  EXPECT_EQ(b.get(seen.mapping, 5, 1), "2a");
}

TEST_P(HvContract, PagesOutliveTheirWriter) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  const Seen seen = show(a, pair.a, b, pair.b, 2);
  a.put(seen.share, 4096, "2a");
  end(a);
  ASSERT_TRUE(until([&] { return b.news(pair.b).lost > 0; }));
  EXPECT_EQ(b.get(seen.mapping, 4096, 1), "2a");
  b.unmap(seen.mapping);
}

TEST_P(HvContract, AShareOutlivesItsReader) {
  HvParty& a = party();
  HvParty& b = party();
  HvParty& c = party();
  const HvPair pair = introduce(a, b);
  const Seen seen = show(a, pair.a, b, pair.b, 2);
  end(b);
  ASSERT_TRUE(until([&] { return a.news(pair.a).lost > 0; }));
  a.put(seen.share, 7, "2a");
  a.revoke(seen.share);
  a.unshare(seen.share);
  introduce(a, c);
}

TEST_P(HvContract, WhatIsRevokedIsNotMapped) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  const auto shared = a.share(pair.a, 1);
  settle();
  a.revoke(shared.share);
  settle();
  EXPECT_NE(b.map(pair.b, shared.offer).error, 0);
  a.put(shared.share, 0, "2a");  // still ours
  a.unshare(shared.share);
}

TEST_P(HvContract, AMappingOutlivesRevoke) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  const Seen seen = show(a, pair.a, b, pair.b, 1);
  a.put(seen.share, 0, "2a");
  a.revoke(seen.share);
  settle();
  EXPECT_EQ(b.get(seen.mapping, 0, 1), "2a");
}

TEST_P(HvContract, AnOfferIsMappedOnce) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  const auto shared = a.share(pair.a, 1);
  settle();
  EXPECT_EQ(b.map(pair.b, shared.offer).error, 0);
  EXPECT_EQ(b.map(pair.b, shared.offer).error, EAGAIN);
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen);
}

TEST_P(HvContract, PagesThatProveNothingLoseTheLink) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  auto shared = a.share(pair.a, 1);
  settle();
  shared.offer.back() = shared.offer.back() == '0' ? '1' : '0';  // of the nonce
  EXPECT_EQ(b.map(pair.b, shared.offer).error, EBADMSG);
  EXPECT_EQ(b.state(pair.b), LinkState::kLost);
  ASSERT_TRUE(until([&] { return b.news(pair.b).lost > 0 && a.news(pair.a).lost > 0; }));
  EXPECT_EQ(b.news(pair.b).why, Loss::kFault);
  EXPECT_EQ(a.news(pair.a).why, Loss::kGone);
  EXPECT_EQ(b.counters().bad_pages, 1u);
}

// Offers travel over the fabric: one may come when its link is long gone, and another one open.
TEST_P(HvContract, AnOfferOfAFormerLinkIsNotMapped) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair former = introduce(a, b);
  const auto late = a.share(former.a, 1);
  settle();
  a.leave(former.a);
  b.leave(former.b);
  const HvPair pair = introduce(a, b);
  const auto shared = a.share(pair.a, 1);
  settle();
  EXPECT_EQ(b.map(pair.b, late.offer).error, EAGAIN);
  EXPECT_EQ(b.map(pair.b, shared.offer).error, 0);
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen) << "an honest peer is called a liar";
}

TEST_P(HvContract, AnOfferOfNothingIsNotMapped) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  EXPECT_NE(b.map(pair.b, std::string(64, '0')).error, 0);
}

TEST_P(HvContract, SharesHaveSizesAndNumbers) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  EXPECT_EQ(a.share(pair.a, 0).error, EMSGSIZE);
  EXPECT_EQ(a.share(pair.a, hv::kMostPages + 1).error, EMSGSIZE);
  unsigned first = 0;
  for (unsigned i = 0; i < hv::kSharesPerLink; ++i) {
    const auto shared = a.share(pair.a, 1);
    ASSERT_EQ(shared.error, 0);
    first = i == 0 ? shared.share : first;
  }
  EXPECT_EQ(a.share(pair.a, 1).error, EAGAIN);
  settle();
  a.unshare(first);
  EXPECT_EQ(a.share(pair.a, 1).error, 0);
  settle();
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen) << "an honest peer is called a liar";
}

// A busy process reads nothing for hours: its peers neither block nor pile anything up.
// Where pages are divided: what stands is counted, and no more is shared than is left.
TEST_P(HvContract, ABudgetIsKept) {
  HvParty& a = party();
  const HvPair pair = introduce(a, party());
  const auto before = a.budget(pair.a, 20);
  if (!before) GTEST_SKIP() << "memory alone bounds it";
  ASSERT_GE(before->pages, before->cost);
  EXPECT_GE(before->cost, 20u);
  EXPECT_EQ(a.share(pair.a, before->pages - before->in_use + 1).error, EAGAIN);
  EXPECT_EQ(a.budget(pair.a, 20)->in_use, before->in_use);
  const auto share = a.share(pair.a, 20);
  ASSERT_EQ(share.error, 0);
  EXPECT_EQ(a.budget(pair.a, 20)->in_use, before->in_use + before->cost);
  EXPECT_EQ(a.budget(pair.a, 20)->leaving, before->leaving);
  a.revoke(share.share);
  a.revoke(share.share);
  EXPECT_EQ(a.budget(pair.a, 20)->leaving, before->leaving + before->cost);
  EXPECT_EQ(a.budget(pair.a, 20)->in_use, before->in_use + before->cost);
  a.unshare(share.share);
  EXPECT_EQ(a.budget(pair.a, 20)->in_use, before->in_use);
  EXPECT_EQ(a.budget(pair.a, 20)->leaving, before->leaving);
}

TEST_P(HvContract, APeerThatDoesNotLookCostsNothing) {
  HvParty& a = party();
  HvParty& b = party();
  const HvPair pair = introduce(a, b);
  settle();
  const std::string before = a.cost();
  int shared = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto made = a.share(pair.a, 1);
    if (made.error != 0) {
      ASSERT_EQ(made.error, EAGAIN);
      continue;
    }
    ++shared;
    a.revoke(made.share);
    a.unshare(made.share);
  }
  EXPECT_GT(shared, 0);
  settle();
  EXPECT_EQ(a.cost(), before);
  EXPECT_EQ(b.state(pair.b), LinkState::kOpen);
  show(a, pair.a, b, pair.b, 1);
}

TEST_P(HvContract, NothingLeaks) {
  HvParty& a = party();
  HvParty& b = party();
  settle();
  const std::string before_a = a.cost();
  const std::string before_b = b.cost();
  for (int round = 0; round < 20; ++round) {
    const HvPair pair = introduce(a, b);
    const Seen one = show(a, pair.a, b, pair.b, 4);
    const auto unmapped = b.share(pair.b, 4);
    settle();
    if (round % 2) a.leave(pair.a);
    a.unshare(one.share);
    b.unmap(one.mapping);
    b.unshare(unmapped.share);
    if (round % 2 == 0) a.leave(pair.a);
    b.leave(pair.b);
    settle();
  }
  EXPECT_EQ(a.cost(), before_a);
  EXPECT_EQ(b.cost(), before_b);
}

}  // namespace

}  // namespace xs::test
