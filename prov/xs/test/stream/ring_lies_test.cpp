// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Rings whose memory says what no honest peer writes, or nothing any more: docs/paths.md sections 5
// and 9.
#include "stream/ring_rig.hpp"

namespace xs::stream::test {
namespace {

// What happens to a ring that is in use.
struct Harm {
  const char* name;
  void (*make)(RingStranger& peer);
  LeaveReason told = LeaveReason::kBroken;
};
void PrintTo(const Harm& harm, std::ostream* out) { *out << harm.name; }

std::uint64_t* stamp(const RingStranger& peer) { return peer.ours->cell(1); }
std::uint64_t* consumed(const RingStranger& peer) { return peer.ours->word(ring::kConsumedAt); }
std::uint64_t head(Kind kind, std::uint64_t number, std::uint8_t flags = 0) {
  return pack(proto::RingHead{kind, flags, static_cast<std::uint32_t>(number)});
}
// A frame with that stamp behind the one that was taken.
void put_stamp(RingStranger& peer, ring::Stamp stamp_of) { *stamp(peer) = stamp_of.word(); }

const Harm kHarms[] = {
    {"stamp_of_another_number",
     [](RingStranger& peer) {
       put_stamp(peer, {3, 40, ring::tag_of(1)});
     }},
    {"stamp_of_another_epoch",
     [](RingStranger& peer) {
       put_stamp(peer, {2, 40, ring::tag_of(2)});
     }},
    {"stamp_beyond_the_ring",
     [](RingStranger& peer) {
       put_stamp(peer, {2, 0xfffffe, ring::tag_of(1)});
     }},
    {"stamp_one_above_the_ring",
     [](RingStranger& peer) {
       const std::uint32_t cells = ring::cells_in(peer.ours->span().size());
       put_stamp(peer, {2, ring::largest_frame(cells) + 1, ring::tag_of(1)});
     }},
    {"stamp_of_nothing",
     [](RingStranger& peer) {
       put_stamp(peer, {2, 0, ring::tag_of(1)});
     }},
    {"garbage", [](RingStranger& peer) { *stamp(peer) = 0x0123456789abcdef; }},
    {"shorter_than_a_head", [](RingStranger& peer) { peer.put(Frame(7)); }},
    {"unknown_kind", [](RingStranger& peer) { peer.put(0x3f | 2ull << 32, Frame(16)); }},
    {"unsequenced_kind", [](RingStranger& peer) { peer.put(head(Kind::kAck, 2), {}); }},
    {"kind_of_a_path",
     [](RingStranger& peer) { peer.put(head(Kind::kLeft, 2), body_of(proto::Left{1})); }},
    {"unknown_flags", [](RingStranger& peer) { peer.put(head(Kind::kEager, 2, 0x80), Frame(16)); }},
    {"head_that_is_not_zero",
     [](RingStranger& peer) { peer.put(head(Kind::kEager, 2) | 1 << 16, Frame(16)); }},
    {"body_that_the_kind_has_not",
     [](RingStranger& peer) { peer.put(head(Kind::kRts, 2), Frame(16)); }},
    {"number_ahead", [](RingStranger& peer) { peer.put(head(Kind::kEager, 3), Frame(16)); }},
    {"number_that_was", [](RingStranger& peer) { peer.put(head(Kind::kEager, 1), Frame(16)); }},
    {"number_far_behind",
     [](RingStranger& peer) { peer.put(head(Kind::kEager, 0x80000003), Frame(16)); }},
    {"large_frame_with_an_unknown_kind",
     [](RingStranger& peer) { peer.put(0x3f | 2ull << 32, Frame(2000)); }},
    {"large_frame_that_has_no_payload",
     [](RingStranger& peer) { peer.put(head(Kind::kRts, 2), Frame(2000)); }},
    {"consumed_ahead", [](RingStranger& peer) { *consumed(peer) = 5; }},
    {"consumed_backwards", [](RingStranger& peer) { *consumed(peer) = 0; }},
    {"consumed_huge", [](RingStranger& peer) { *consumed(peer) = ~1ull; }},
    {"all_ones", [](RingStranger& peer) { peer.ours->fill(std::byte{0xff}); }, LeaveReason::kLost},
    {"consumed_all_ones", [](RingStranger& peer) { *consumed(peer) = ~0ull; }, LeaveReason::kLost},
};
std::string name_of(const testing::TestParamInfo<Harm>& info) { return info.param.name; }

class RingLiesTest : public RingTest, public testing::WithParamInterface<Harm> {
 protected:
  // One message was taken in each direction, two of ours are under way.
  RingLiesTest() {
    join();
    begin_traffic();
  }
  void begin_traffic() {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(commit());
    EXPECT_TRUE(peer.take());
    EXPECT_TRUE(put_letter());
    rig.settle();
    EXPECT_EQ(rig.upper.frames.size(), 1u);
    session->refresh_acks(rig.clock.time);
    EXPECT_EQ(session->unacknowledged(), 2u);
    rig.said();
  }
};

TEST_P(RingLiesTest, ring_is_left_and_the_stream_goes_on) {
  GetParam().make(peer);
  rig.pass(kQuiet);
  EXPECT_EQ(rig.upper.frames.size(), 1u) << "nothing of it is taken";
  const auto said = rig.said();
  const auto left = of_kind(said, Kind::kLeft);
  ASSERT_GE(left.size(), 1u);
  EXPECT_EQ(proto::decode_left(body_in(left[0]))->reason,
            static_cast<std::uint32_t>(GetParam().told));
  EXPECT_EQ(prefix_of(left[0]).ack, 2u);
  std::vector<std::uint64_t> replayed;
  for (const Handed& each : of_kind(said, Kind::kEager)) replayed.push_back(prefix_of(each).seq);
  EXPECT_EQ(replayed, (Numbers{2, 3}));
  EXPECT_EQ(session->path_counters().left, 1u);
  EXPECT_EQ(session->path_counters().faults, 1u);
  EXPECT_EQ(warnings.count(), 1u);
  peer.seq = 2;
  expect_goes_on();
  rig.hear(peer.left(1, true));
  expect_nothing_stands();
  EXPECT_EQ(rig.upper.frames.size(), 2u) << "nor at the end";
}

// Nothing is published any more to a ring that is not believed.
TEST_P(RingLiesTest, second_fault_is_not_told_again) {
  GetParam().make(peer);
  rig.pass(kQuiet);
  rig.hear(peer.left(1, true));
  rig.said();
  peer.seq = 2;
  rig.hear(peer.ack_up_to(session->unacknowledged() + 2));
  join(2);
  ASSERT_TRUE(put_letter());
  rig.settle();
  ASSERT_EQ(rig.upper.frames.size(), 2u);
  peer.ours->fill(std::byte{0xff});
  rig.pass(kQuiet);
  EXPECT_EQ(session->path_counters().faults, 2u);
  EXPECT_EQ(warnings.count(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Harm, RingLiesTest, testing::ValuesIn(kHarms), name_of);

class DeafRingTest : public RingTest {
 protected:
  DeafRingTest() { join(); }
};

// A mapping that is frozen at the other side: its process answers, but takes nothing.
TEST_F(DeafRingTest, silence_is_found_by_ping) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(commit());
  rig.said();
  rig.pass(kQuiet + util::kMillisecond);
  const auto pings = of_kind(rig.said(), Kind::kPing);
  ASSERT_EQ(pings.size(), 1u);
  rig.hear(peer.frame(Kind::kAck, prefix_of(pings[0]).seq));
  const auto said = rig.said();
  const auto left = of_kind(said, Kind::kLeft);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(proto::decode_left(body_in(left[0]))->reason,
            static_cast<std::uint32_t>(LeaveReason::kSilent));
  std::vector<std::uint64_t> replayed;
  for (const Handed& each : of_kind(said, Kind::kEager)) replayed.push_back(prefix_of(each).seq);
  EXPECT_EQ(replayed, (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(warnings.count(), 1u);
  EXPECT_EQ(session->path_counters().faults, 1u);
  rig.hear(peer.left(1, true));
  expect_nothing_stands();
}

TEST_F(DeafRingTest, taken_before_the_answer_is_no_silence) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(commit());
  rig.pass(kQuiet + util::kMillisecond);
  const auto pings = of_kind(rig.said(), Kind::kPing);
  ASSERT_EQ(pings.size(), 1u);
  ASSERT_TRUE(commit());  // not yet taken, and not asked about
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(peer.take());
  rig.hear(peer.frame(Kind::kAck, prefix_of(pings[0]).seq));
  EXPECT_TRUE(session->writes_ring());
  EXPECT_EQ(session->unacknowledged(), 1u);
}

// The answer to a PING that was sent on the fabric, or about another epoch, says nothing.
TEST_F(DeafRingTest, answers_of_another_path_are_passed_over) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(commit());
  rig.pass(kQuiet + util::kMillisecond);
  ASSERT_EQ(of_kind(rig.said(), Kind::kPing).size(), 1u);
  rig.hear(peer.frame(Kind::kAck, 5));
  rig.hear(peer.frame(Kind::kAck, 5 | 3ull << 48));
  EXPECT_TRUE(session->writes_ring());
}

TEST_F(DeafRingTest, reader_drains_before_it_answers_a_ping) {
  ASSERT_TRUE(put_letter());
  rig.inner.endpoints.front()->arrives(peer.ping(2 | 2ull << 48));
  rig.settle();
  const auto acks = of_kind(rig.said(), Kind::kAck);
  ASSERT_GE(acks.size(), 1u);
  EXPECT_EQ(prefix_of(acks[0]).ack, 2u);
  EXPECT_EQ(peer.taken_by_them(), 1u);
}

// A fabric frame ahead of its turn: its sender may have left the ring.
TEST_F(DeafRingTest, frame_ahead_on_the_fabric_drains_the_ring) {
  ASSERT_TRUE(put_letter());
  rig.inner.endpoints.front()->arrives(letter());
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 2u);
  EXPECT_EQ(session->counters().gaps, 0u);
}

TEST_F(DeafRingTest, older_frames_in_a_new_ring_are_duplicates) {
  rig.hear(letter());
  rig.hear(letter());
  peer.seq = 1;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(put_letter());
  rig.settle();
  EXPECT_EQ(rig.upper.frames.size(), 4u);
  EXPECT_TRUE(session->reads_ring());
  EXPECT_EQ(session->counters().duplicates, 0u);
}

// Every answer moves the stream: there is no quiet in which to ask.
TEST_F(DeafRingTest, thousand_rendezvous_without_a_ping) {
  session->await();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Frame rts(proto::Rts::kSize);
    FrameBuffer* frame = session->claim(Kind::kRts, rts.size());
    ASSERT_NE(frame, nullptr) << i;
    std::copy(rts.begin(), rts.end(), frame->body());
    session->commit(*frame, 0, 0);
    rig.pass(util::kMillisecond);
    ASSERT_EQ(peer.take()->head.kind, Kind::kRts) << i;
    ASSERT_TRUE(peer.put_next(Kind::kCts, Frame(proto::Cts::kSize)));
    rig.pass(util::kMillisecond);
    ASSERT_TRUE(peer.put_next(Kind::kFin, Frame(proto::Fin::kSize)));
    rig.pass(util::kMillisecond);
  }
  session->await_done();
  EXPECT_EQ(rig.upper.frames.size(), 2000u);
  EXPECT_EQ(session->counters().pings, 0u);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kPing).empty());
}

}  // namespace
}  // namespace xs::stream::test
