// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "ring/region.hpp"

#include <cerrno>

#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

constexpr Terms kTerms{.epoch = 0x1122334455667788,
                       .nonce = {std::byte{1}, std::byte{2}},
                       .consumer_sleeps = true,
                       .producer_sleeps = false};

TEST(RingRegion, TellsThePeerItsTerms) {
  const Pages pages(4096);
  ASSERT_TRUE(OwnRegion::prepare(pages.span(), kTerms));
  auto peer = PeerRegion::read(pages.span(), kTerms.epoch);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->cell_count(), 60u);
  EXPECT_EQ(peer->terms().epoch, kTerms.epoch);
  EXPECT_EQ(peer->terms().nonce, kTerms.nonce);
  EXPECT_TRUE(peer->terms().consumer_sleeps);
  EXPECT_FALSE(peer->terms().producer_sleeps);
}

TEST(RingRegion, HasTheHeaderOfTheContract) {
  const Pages pages(4096);
  ASSERT_TRUE(OwnRegion::prepare(pages.span(), kTerms));
  EXPECT_EQ(*pages.word(0), 0x00676e6972207378u);
  EXPECT_EQ(*pages.word(8), 60ull << 32 | 1);
  EXPECT_EQ(*pages.word(16), kTerms.epoch);
  EXPECT_EQ(*pages.word(24), 1u);
  EXPECT_EQ(*pages.word(32), 0x0201u);
}

TEST(RingRegion, ClearsEverythingThatStoodThere) {
  const Pages pages(4096);  // filled with rubbish
  ASSERT_TRUE(OwnRegion::prepare(pages.span(), kTerms));
  for (std::size_t at = 40; at < 4096; at += 8) EXPECT_EQ(*pages.word(at), 0u) << at;
}

TEST(RingRegion, EveryOtherHeaderIsRefused) {
  const Pages pages(4096);
  for (std::size_t bit = 0; bit < 64 * 8; ++bit) {
    if (bit >= 32 * 8 && bit < 48 * 8) continue;  // the nonce is the caller's to compare
    if (bit / 8 == 24 && bit % 8 < 2) continue;   // either flag may be set
    if (bit / 8 >= 48 && bit / 8 < 52) continue;  // hearsay
    if (bit / 8 >= 56) continue;
    ASSERT_TRUE(OwnRegion::prepare(pages.span(), kTerms));
    pages.span()[bit / 8] ^= std::byte{1} << bit % 8;
    auto peer = PeerRegion::read(pages.span(), kTerms.epoch);
    ASSERT_FALSE(peer) << "bit " << bit;
    EXPECT_EQ(peer.error().code, EINVAL);
  }
}

TEST(RingRegion, AnotherSizeThanThePeersIsRefused) {
  const Pages pages(2 * 4096);
  ASSERT_TRUE(OwnRegion::prepare(pages.span(), kTerms));
  EXPECT_FALSE(PeerRegion::read(pages.span().first(4096), kTerms.epoch));
}

TEST(RingRegion, AnotherEpochIsRefused) {
  const Pages pages(4096);
  ASSERT_TRUE(OwnRegion::prepare(pages.span(), kTerms));
  EXPECT_FALSE(PeerRegion::read(pages.span(), kTerms.epoch + 1));
}

TEST(RingRegion, AllOnesAreALostMapping) {
  Pages pages(4096);
  pages.fill(std::byte{0xff});
  auto peer = PeerRegion::read(pages.span(), kTerms.epoch);
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, ESTALE);
}

TEST(RingRegion, MemoryThatHoldsNoRingIsRefused) {
  const Pages pages(4096);
  EXPECT_FALSE(OwnRegion::prepare(pages.span().first(256 + 127), kTerms));
  EXPECT_FALSE(OwnRegion::prepare(pages.span().subspan(8), kTerms));
  EXPECT_FALSE(PeerRegion::read(pages.span().first(256 + 127), kTerms.epoch));
  EXPECT_FALSE(PeerRegion::read(pages.span().subspan(8), kTerms.epoch));
}

}  // namespace
}  // namespace xs::ring::test
