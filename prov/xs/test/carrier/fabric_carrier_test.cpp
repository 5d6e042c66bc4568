// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/fabric_carrier.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "stream/scripted_inner.hpp"

namespace xs::carrier {
namespace {

using test::ScriptedInner;
using test::test_address;

struct Scribe final : CarrierEvents {
  void frame_arrived(util::Bytes frame) noexcept override {
    sizes.push_back(frame.size());
    if (on_frame) on_frame();
  }
  void frame_let_go(FrameBuffer&, int error) noexcept override { frames.push_back(error); }
  void bulk_let_go(BulkOperation&, std::size_t length, int error) noexcept override {
    bulks.push_back({length, error});
  }
  void lane_gone(std::uint32_t lane) noexcept override { gone.push_back(lane); }

  std::vector<std::size_t> sizes;
  std::vector<int> frames;
  std::vector<std::pair<std::size_t, int>> bulks;
  std::vector<std::uint32_t> gone;
  std::function<void()> on_frame;
};

struct FabricCarrierTest : testing::Test {
  FabricCarrierTest() {
    auto made = FabricCarrier::open(inner, kFrame, 4, events);
    EXPECT_TRUE(made);
    carrier = std::move(*made);
    route = *carrier->route(kHomeLane, test_address(2000));
    frame = pool.make(10);
    frame->prefix = {.kind = proto::Kind::kEager, .token = 1, .seq = 1};
  }
  ~FabricCarrierTest() override {
    carrier.reset();
    pool.drop(*frame);
  }
  test::ScriptedEndpoint& home() { return *inner.endpoints.front(); }
  void hold() {
    inner.held = true;
    inner.inject_bytes = 0;
  }

  static constexpr std::size_t kFrame = 4096;
  ScriptedInner inner;
  Scribe events;
  FramePool pool{kFrame};
  std::unique_ptr<FabricCarrier> carrier;
  Route route;
  FrameBuffer* frame;
};

TEST_F(FabricCarrierTest, small_frame_is_injected) {
  ASSERT_EQ(carrier->post(route, *frame), Posted::kOk);
  EXPECT_FALSE(frame->under_way);
  const auto handed = inner.take();
  ASSERT_EQ(handed.size(), 1u);
  EXPECT_EQ(handed[0].to, test_address(2000));
  EXPECT_EQ(handed[0].bytes.size(), proto::kPrefixSize + 10);
}

TEST_F(FabricCarrierTest, frame_with_a_tail_is_sent_whole) {
  hold();
  frame->tail = "tail";
  frame->tail_size = 4;
  ASSERT_EQ(carrier->post(route, *frame), Posted::kOk);
  EXPECT_TRUE(frame->under_way);
  const auto handed = inner.take();
  EXPECT_EQ(handed.at(0).bytes.size(), proto::kPrefixSize + 14);
  home().ends(*handed[0].operation, 0);
  carrier->poll();
  EXPECT_FALSE(frame->under_way);
  EXPECT_EQ(events.frames, std::vector<int>{0});
}

TEST_F(FabricCarrierTest, refused_frame_is_not_under_way) {
  inner.answer = Posted::kAgain;
  inner.inject_bytes = 0;
  EXPECT_EQ(carrier->post(route, *frame), Posted::kAgain);
  EXPECT_FALSE(frame->under_way);
  EXPECT_FALSE(frame->linked());
}

TEST_F(FabricCarrierTest, frame_without_a_lane_fails) {
  EXPECT_EQ(carrier->post({9, 0}, *frame), Posted::kFailed);
}

TEST_F(FabricCarrierTest, receives_are_posted_again) {
  for (int i = 0; i < 20; ++i) {
    home().arrives(std::vector<std::byte>(kFrame));
    carrier->poll();
  }
  EXPECT_EQ(events.sizes.size(), 20u);
  EXPECT_EQ(home().receives(), 4u);
}

// ---- Lanes ----

TEST_F(FabricCarrierTest, retired_lane_lets_go_of_everything) {
  hold();
  const std::uint32_t lane = *carrier->fresh_lane();
  ASSERT_EQ(carrier->post(*carrier->route(lane, test_address(2000)), *frame), Posted::kOk);
  BulkOperation bulk;
  char room[8];
  const struct iovec iov { room, sizeof room };
  ASSERT_EQ(carrier->bulk_receive(lane, 5, std::span(&iov, 1), bulk), Posted::kOk);
  carrier->retire(lane);
  EXPECT_EQ(events.frames, std::vector<int>{ECANCELED});
  EXPECT_EQ(events.bulks, (std::vector<std::pair<std::size_t, int>>{{0, ECANCELED}}));
  EXPECT_EQ(events.gone, std::vector<std::uint32_t>{lane});
  EXPECT_FALSE(carrier->has_lane(lane));
}

TEST_F(FabricCarrierTest, home_comes_back_at_its_address) {
  const proto::Address name = carrier->home();
  carrier->retire(kHomeLane);
  ASSERT_EQ(inner.endpoints.size(), 2u);
  EXPECT_EQ(inner.endpoints[0], nullptr);
  EXPECT_EQ(inner.endpoints[1]->name(), name);
  EXPECT_EQ(inner.endpoints[1]->receives(), 4u);
}

TEST_F(FabricCarrierTest, home_that_cannot_come_back_is_tried_again) {
  inner.open_error = EADDRINUSE;
  carrier->retire(kHomeLane);
  EXPECT_EQ(carrier->post(route, *frame), Posted::kFailed);
  inner.open_error = 0;
  for (int i = 0; i < 100000 && inner.endpoints.size() == 1; ++i) carrier->poll();
  ASSERT_EQ(inner.endpoints.size(), 2u);
  EXPECT_TRUE(carrier->route(kHomeLane, test_address(2000)));
}

TEST_F(FabricCarrierTest, lanes_are_few) {
  const std::uint32_t first = *carrier->fresh_lane();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(carrier->fresh_lane());
  EXPECT_FALSE(carrier->has_lane(first));
  EXPECT_TRUE(carrier->has_lane(kHomeLane));
  EXPECT_EQ(carrier->newest_lane(), first + 10);
}

// The event is called while a batch of that very lane is gone through.
TEST_F(FabricCarrierTest, lane_may_be_retired_by_what_arrives_on_it) {
  const std::uint32_t lane = *carrier->fresh_lane();
  events.on_frame = [&] { carrier->retire(lane); };
  inner.endpoints[1]->arrives(std::vector<std::byte>(3));
  inner.endpoints[1]->arrives(std::vector<std::byte>(4));
  carrier->poll();
  carrier->poll();
  EXPECT_EQ(events.sizes, std::vector<std::size_t>{3});
}

TEST_F(FabricCarrierTest, home_may_be_retired_by_what_arrives_on_it) {
  events.on_frame = [&] { carrier->retire(kHomeLane); };
  home().arrives(std::vector<std::byte>(3));
  home().arrives(std::vector<std::byte>(4));
  carrier->poll();
  EXPECT_EQ(events.sizes, std::vector<std::size_t>{3});
  EXPECT_EQ(inner.endpoints[1]->receives(), 4u);
}

// ---- Bulk ----

TEST_F(FabricCarrierTest, given_up_tag_keeps_a_sink) {
  carrier->sink(kHomeLane, 5, 1000);
  EXPECT_TRUE(home().arrives(5, std::vector<std::byte>(1000)));
  carrier->poll();
  EXPECT_TRUE(events.bulks.empty());
}

TEST_F(FabricCarrierTest, home_that_came_back_still_sinks_what_is_late) {
  carrier->sink(kHomeLane, 5, 1000);
  carrier->retire(kHomeLane);
  EXPECT_TRUE(inner.endpoints[1]->arrives(5, std::vector<std::byte>(1000)));
}

TEST_F(FabricCarrierTest, lane_without_room_for_a_sink_is_replaced) {
  inner.tagged_answer = Posted::kAgain;
  carrier->sink(kHomeLane, 5, 1000);
  EXPECT_EQ(events.gone, std::vector<std::uint32_t>{kHomeLane});
}

TEST_F(FabricCarrierTest, cancelled_receive_ends) {
  BulkOperation bulk;
  char room[8];
  const struct iovec iov { room, sizeof room };
  ASSERT_EQ(carrier->bulk_receive(kHomeLane, 5, std::span(&iov, 1), bulk), Posted::kOk);
  carrier->cancel(bulk);
  carrier->poll();
  EXPECT_EQ(events.bulks, (std::vector<std::pair<std::size_t, int>>{{0, ECANCELED}}));
  EXPECT_FALSE(bulk.under_way);
}

}  // namespace
}  // namespace xs::carrier
