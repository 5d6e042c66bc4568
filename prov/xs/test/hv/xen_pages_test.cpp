// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What hv/xen makes of references, heads and lists that are not what they should be, and of too few
// pages.
#include <algorithm>
#include <cerrno>

#include "hv/xen/pages.hpp"
#include "hv/xen_rig.hpp"

namespace xs::test {

namespace {

using hv::LinkState;
using hv::Loss;

TEST_F(HvXen, ShareOfEverySizeIsMapped) {
  machine_.quota(1).pages = 10000;
  begin();
  meet();
  for (const std::size_t pages : {1u, 2u, 6u, 7u, 1024u, 1025u, 2048u}) {
    auto share = a_.link->share(pages);
    ASSERT_TRUE(share) << pages;
    auto mapping = b_.link->map((*share)->offer());
    ASSERT_TRUE(mapping) << pages;
    const auto own = (*share)->bytes();
    for (std::size_t at = 0; at < own.size(); at += 4000)
      own[at] = static_cast<std::byte>(at / 4000 % 251);
    const auto seen = (*mapping)->bytes();
    ASSERT_EQ(seen.size(), own.size());
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), own.begin())) << pages;
  }
}

TEST_F(HvXen, WithoutPagesLeftShareIsPutOff) {
  begin();
  meet();
  machine_.leave_pages(1, 2);
  const Warnings warnings;
  EXPECT_EQ(a_.link->share(3).error().code, EAGAIN);
  EXPECT_EQ(a_.link->share(3).error().code, EAGAIN);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(a_.xen->counters().exhausted, 2u);
  EXPECT_TRUE(a_.link->share(2)) << "nothing was taken";
}

TEST_F(HvXen, WithoutAPageForALifeNobodyIsMet) {
  begin();
  machine_.leave_pages(1, 0);
  EXPECT_EQ(a_.xen->meet(b_.xen->card()).error().code, ENOSPC);
  machine_.leave_pages(1, 1);
  meet();
}

TEST_F(HvXen, AStaleReferenceIsNotMapped) {
  begin();
  meet();
  auto share = a_.link->share(2);
  const hv::Offer offer = (*share)->offer();
  (*share).reset();
  EXPECT_EQ(b_.link->map(offer).error().code, EAGAIN);
  EXPECT_EQ(b_.link->state(), LinkState::kOpen);
}

// References are used again: the page that a late offer names is another share's.
TEST_F(HvXen, AnotherSharesPageIsNotMapped) {
  begin();
  meet();
  auto one = a_.link->share(2);
  auto two = a_.link->share(2);
  hv::GrantName name = hv::decode_grant((*one)->offer());
  name.head = hv::decode_grant((*two)->offer()).head;
  EXPECT_EQ(b_.link->map(hv::encode(name)).error().code, EAGAIN);
  EXPECT_EQ(b_.link->state(), LinkState::kOpen);
}

TEST_F(HvXen, AWrongNonceIsALie) {
  begin();
  meet();
  auto share = a_.link->share(2);
  hv::GrantName name = hv::decode_grant((*share)->offer());
  ++name.nonce.low;
  const Warnings warnings;
  EXPECT_EQ(b_.link->map(hv::encode(name)).error().code, EBADMSG);
  EXPECT_EQ(b_.link->state(), LinkState::kLost);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(b_.xen->counters().bad_pages, 1u);
  EXPECT_TRUE(until([&] { return a_.told.losses == 1 && b_.told.losses == 1; }));
  EXPECT_EQ(b_.told.why, Loss::kFault);
  EXPECT_EQ(a_.told.why, Loss::kGone);
}

TEST_F(HvXen, AListOfReferencesThatAreNoneIsNotMapped) {
  begin();
  meet();
  auto share = a_.link->share(3);
  const hv::GrantName name = hv::decode_grant((*share)->offer());
  machine_.scribble(1, name.head, 41, std::byte{0xff});  // of the second page's reference
  const std::size_t before = b_.calls->mapped();
  EXPECT_EQ(b_.link->map((*share)->offer()).error().code, EAGAIN);
  EXPECT_EQ(b_.calls->mapped(), before);
}

}  // namespace

}  // namespace xs::test
