// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An open session with a stranger who is a neighbour.
#pragma once
#include "hv/hv_rig.hpp"
#include "stream/ring_stranger.hpp"
#include "stream/ring_writing.hpp"
#include "stream/stream_rig.hpp"

namespace xs::stream::test {

using proto::Kind;

inline constexpr RingLimits kRingLimits{
    .first = 4 * hv::kPageSize, .largest = 16 * hv::kPageSize, .memory = 32 * hv::kPageSize};

enum class Role : bool { kAnswerer, kProposer };

class RingTest : public testing::Test {
 protected:
  explicit RingTest(Role ours = Role::kAnswerer, const RingLimits& limits = kRingLimits)
      : rig(limits) {
    // The smaller incarnation proposes.
    if (ours == Role::kProposer) peer.life = {~0ull, ~0ull};
    session = &rig.meet(peer);
    session->owner = &rig;
    if (ours == Role::kAnswerer) become_neighbours();
  }
  // Nothing leaks, whatever a test did.
  void TearDown() override {
    rig.streams.reset();
    EXPECT_EQ(link.shares, 0u);
    EXPECT_EQ(link.mappings, 0u);
    EXPECT_EQ(rig.rings.in_use, 0u);
  }

  void become_neighbours() {
    session->neighbour_open(link);
    rig.settle();
  }
  // Offers that epoch, and maps what is offered in answer.
  void offer(std::uint64_t epoch) {
    rig.hear(peer.say(peer.offer(link, epoch)));
    map_what_is_offered();
  }
  void map_what_is_offered() {
    const auto offers = of_kind(rig.said(), Kind::kOffer);
    ASSERT_EQ(offers.size(), 1u);
    offered = *proto::decode_offer(body_in(offers[0]));
    peer.map(link, offered);
  }
  void join(std::uint64_t epoch = 1) {
    offer(epoch);
    rig.hear(peer.mapped(epoch));
    ASSERT_TRUE(session->writes_ring());
  }
  // As proposer: what we offer is answered.
  void make_us_offer() {
    become_neighbours();
    rig.hear(letter());
    rig.pass(util::kMillisecond);
    const auto offers = of_kind(rig.said(), Kind::kOffer);
    ASSERT_EQ(offers.size(), 1u);
    offered = *proto::decode_offer(body_in(offers[0]));
  }
  proto::Offer answer(std::uint32_t pages = RingStranger::kPages) {
    const proto::Offer answered = peer.offer(link, offered.epoch, pages);
    peer.map(link, offered);
    return answered;
  }

  Frame letter() { return peer.next(Kind::kEager, eager(1, text("x"))); }
  bool put_letter() { return peer.put_next(Kind::kEager, eager(1, text("x"))); }
  // A message of ours, straight into the ring or as a frame.
  bool commit(std::size_t payload = 8) {
    const Frame body = eager(1, Frame(payload, std::byte{0x77}));
    if (session->claim_in_ring(body.size())) {
      session->put_in_ring(0, body);
      if (session->commit_in_ring(Kind::kEager, proto::kTagged, body.size())) session->ring_bell();
      return true;
    }
    FrameBuffer* const frame = session->claim(Kind::kEager, body.size());
    if (!frame) return false;
    std::copy(body.begin(), body.end(), frame->body());
    session->commit(*frame, proto::kTagged, 0);
    return true;
  }
  // Numbers of the messages that went over the fabric since the last look.
  std::vector<std::uint64_t> numbers_said() {
    std::vector<std::uint64_t> numbers;
    for (const Handed& each : of_kind(rig.said(), Kind::kEager))
      numbers.push_back(prefix_of(each).seq);
    return numbers;
  }
  std::vector<std::uint64_t> numbers_in_ring() {
    std::vector<std::uint64_t> numbers;
    while (const auto frame = peer.take()) numbers.push_back(frame->head.number);
    return numbers;
  }
  // The LEFTs that were said since the last look.
  std::vector<proto::Left> lefts() {
    std::vector<proto::Left> found;
    for (const Handed& each : of_kind(rig.said(), Kind::kLeft))
      found.push_back(*proto::decode_left(body_in(each)));
    return found;
  }
  // One LEFT and no other.
  void expect_left(std::uint64_t epoch, bool answered, LeaveReason reason) {
    const auto said = lefts();
    ASSERT_EQ(said.size(), 1u);
    EXPECT_EQ(said[0].epoch, epoch);
    EXPECT_EQ(said[0].answer, answered);
    EXPECT_EQ(said[0].reason, static_cast<std::uint32_t>(reason));
  }
  // Messages go over the fabric both ways, and no ring is in hand.
  void expect_goes_on() {
    rig.said();
    const std::size_t before = rig.upper.frames.size();
    rig.hear(letter());
    EXPECT_EQ(rig.upper.frames.size(), before + 1);
    const std::uint64_t unacknowledged = session->unacknowledged();
    EXPECT_TRUE(commit());
    EXPECT_EQ(session->unacknowledged(), unacknowledged + 1);
    EXPECT_EQ(numbers_said().size(), 1u);
    EXPECT_TRUE(rig.upper.ended.empty());
    EXPECT_EQ(rig.streams->counters().lies, 0u);
  }
  void expect_nothing_stands() {
    EXPECT_EQ(link.shares, 0u);
    EXPECT_EQ(link.mappings, 0u);
    EXPECT_EQ(rig.rings.in_use, 0u);
    EXPECT_FALSE(session->writes_ring() || session->reads_ring());
  }

  Warnings warnings;
  ScriptedLink link;
  StreamRig rig;
  RingStranger peer{2000};
  Session* session = nullptr;
  proto::Offer offered;
  using Numbers = std::vector<std::uint64_t>;
};

// A ring is in hand, both ways.
class JoinedRingTest : public RingTest {
 protected:
  JoinedRingTest() { join(); }
  void commit_and_forget(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(commit());
    EXPECT_TRUE(numbers_said().empty()) << "nothing sequenced goes over the fabric";
  }
};

class ProposerTest : public RingTest {
 protected:
  ProposerTest() : RingTest(Role::kProposer) {}
  void join_ours() {
    make_us_offer();
    rig.hear(peer.say(answer()));
    ASSERT_EQ(of_kind(rig.said(), Kind::kMapped).size(), 1u);
    ASSERT_TRUE(session->writes_ring());
  }
};

}  // namespace xs::stream::test
