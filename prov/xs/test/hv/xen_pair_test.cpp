// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two endpoints in two domains of a fake Xen, one of which lies or falls silent: the pair stays on
// the fabric, with one warning and a counter, and nothing stays behind.
#include <gtest/gtest.h>

#include <functional>

#include "hv/hv_rig.hpp"
#include "sim/guest/rank.hpp"

namespace xs::test {

namespace {

using sim::Rank;

class XenPair : public testing::Test, private sim::NetworkObserver {
 protected:
  void begin() {
    a_ = std::make_unique<Rank>(network_, xen_, 1, 1, 1);
    b_ = std::make_unique<Rank>(network_, xen_, 2, 1, 2);
    ASSERT_TRUE(a_->works() && b_->works());
  }
  // Messages each way; `meanwhile` in each millisecond.
  void talk(
      unsigned milliseconds, const std::function<void()>& meanwhile = [] {}) {
    for (unsigned i = 0; i < milliseconds; ++i) {
      a_->send(Rank::address_of(2, 1), 64);
      b_->send(Rank::address_of(1, 1), 64);
      meanwhile();
      network_.set_time(network_.now() + util::kMillisecond);
      a_->step();
      b_->step();
    }
  }
  bool have_ring() const {
    return a_->ring_to(Rank::address_of(2, 1)) > 0 && b_->ring_to(Rank::address_of(1, 1)) > 0;
  }
  // All that was sent has come; then both end, and leave nothing.
  void end() {
    for (int i = 0; i < 100; ++i) {
      network_.set_time(network_.now() + util::kMillisecond);
      a_->step();
      b_->step();
    }
    EXPECT_GT(a_->sent(), 0u);
    EXPECT_EQ(a_->received(), b_->sent());
    EXPECT_EQ(b_->received(), a_->sent());
    EXPECT_EQ(a_->failed() + b_->failed() + a_->refused() + b_->refused(), 0u);
    const auto a = a_->calls(), b = b_->calls();
    a_.reset();
    b_.reset();
    EXPECT_EQ(a->mapped() + b->mapped(), 0u);
    for (const std::uint32_t domain : {1u, 2u}) {
      EXPECT_EQ(xen_.used(domain).pages, 0u);
      EXPECT_LE(xen_.used(domain).nodes, 2u) << "empty directories";
      EXPECT_LE(xen_.used(domain).watches, 1u);
    }
  }
  std::string node_of_b() const { return hv::node_of(2, b_->card().process).data(); }

  FakeXen xen_;
  sim::FakeNetwork network_{{}, 1, *this};
  std::unique_ptr<Rank> a_, b_;

 private:
  void arrives(sim::ProcessId, util::Nanoseconds) noexcept override {}
  void touches(const void*, std::size_t, bool) noexcept override {}
  void carried(const char*, const proto::Address&, const proto::Address&, bool,
               std::span<const std::byte>) noexcept override {}
  void stopped(const proto::Address&) noexcept override {}
  void misused(const char* what) noexcept override { ADD_FAILURE() << what; }
};

TEST_F(XenPair, HonestOnesHaveARing) {
  begin();
  const Warnings warnings;
  talk(300);
  EXPECT_TRUE(have_ring());
  EXPECT_EQ(warnings.count(), 0u);
  end();
}

TEST_F(XenPair, AWrongNonceCostsTheRing) {
  begin();
  const Warnings warnings;
  xen_.at_map = [&](std::uint32_t domain, std::uint32_t reference) {
    if (domain == 2 && a_->counters().opened > 0) xen_.scribble(2, reference, 23, std::byte{0xee});
  };
  talk(300);
  EXPECT_FALSE(have_ring());
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(a_->counters().bad_pages, 1u);
  end();
}

TEST_F(XenPair, APeerWithoutANodeNeverAnswers) {
  begin();
  const Warnings warnings;
  talk(300, [&] { xen_.remove(node_of_b()); });
  EXPECT_FALSE(have_ring());
  EXPECT_EQ(warnings.count(), 0u);
  end();
}

// Its owner takes that for a move as soon as it wants to write there.
TEST_F(XenPair, ANodeThatVanishesCostsTheRingUntilItIsWrittenAgain) {
  begin();
  talk(300);
  ASSERT_TRUE(have_ring());
  const Warnings warnings;
  xen_.remove(node_of_b());
  talk(1);
  EXPECT_FALSE(have_ring());
  talk(300);
  EXPECT_EQ(a_->counters().gone, 1u);
  EXPECT_EQ(b_->counters().moved, 1u);
  EXPECT_TRUE(have_ring());
  EXPECT_EQ(warnings.count(), 0u);
  end();
}

// Its references are another's by the time that they are looked at.
TEST_F(XenPair, PagesThatAreNeverThereCostTheRing) {
  begin();
  const Warnings warnings;
  xen_.at_map = [&](std::uint32_t domain, std::uint32_t reference) {
    if (domain == 2 && a_->counters().opened > 0) xen_.scribble(2, reference, 8, std::byte{0xee});
  };
  talk(300);
  EXPECT_FALSE(have_ring());
  EXPECT_EQ(warnings.count(), 0u);
  xen_.at_map = nullptr;
  end();
}

// A page that says ones, or what can't be, while frames go through it.
TEST_F(XenPair, APageThatTurnsToNonsenseCostsTheRing) {
  begin();
  talk(300);
  ASSERT_TRUE(have_ring());
  const Warnings warnings;
  xen_.scribble_shares(2, std::byte{0xff});
  talk(300);
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(a_->paths().faults, 1u);
  end();
}

// That is how it looks when either VM has left, and a peer that lies so about its life, too, has
// left as far as we are concerned.
TEST_F(XenPair, PagesThatAllTurnToOnesAreAPeerThatIsGone) {
  begin();
  talk(300);
  ASSERT_TRUE(have_ring());
  const Warnings warnings;
  xen_.scribble_all(2, std::byte{0xff});
  talk(300);
  EXPECT_EQ(a_->paths().left, 1u);
  EXPECT_TRUE(have_ring()) << "it lives, and is met once more";
  EXPECT_EQ(warnings.count(), 0u);
  EXPECT_EQ(a_->paths().faults, 0u);
  EXPECT_EQ(a_->counters().gone, 1u);
  end();
}

// A VM that has moved sees that in its mappings before the store tells it: nobody is at fault.
TEST_F(XenPair, AMoveThatIsSeenInThePagesFirstIsNoFault) {
  begin();
  talk(300);
  ASSERT_TRUE(have_ring());
  const Warnings warnings;
  xen_.displace(1, 9);
  talk(20);
  xen_.fire_all(9);
  talk(300);
  EXPECT_TRUE(have_ring());
  EXPECT_EQ(warnings.count(), 0u);
  EXPECT_EQ(a_->paths().faults, 0u);
  EXPECT_GE(a_->counters().moved, 1u);
  end();
}

}  // namespace

}  // namespace xs::test
