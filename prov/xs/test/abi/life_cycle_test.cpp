// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The thread that follows moves while the application computes (docs/migration.md): here nobody
// calls the one side at all.
#include <atomic>
#include <string>

#include "face/machines.hpp"
#include "face/threads.hpp"

namespace xs::abi::test {
namespace {

InfoPtr hints_with(enum fi_threading threading) {
  InfoPtr hints = make_hints();
  hints->domain_attr->threading = threading;
  return hints;
}

struct LifeCycleTest : MachinesTest, testing::WithParamInterface<enum fi_threading> {
  LifeCycleTest() : MachinesTest(hints_with(GetParam()).get()) {}

  // While nobody but b's application makes progress.
  void wait_until_b_sees(const std::function<bool(const struct fi_xs_peer&)>& done) {
    until([&] {
      struct fi_cq_tagged_entry entry;
      EXPECT_EQ(fi_cq_read(b.cq.get(), &entry, 1), -FI_EAGAIN);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return done(b.at(to_a));
    });
  }
};

TEST_P(LifeCycleTest, who_computes_tells_of_its_move) {
  talk_until_ring();
  const auto begin = Clock::now();
  a.move_to("B");
  wait_until_b_sees([](const struct fi_xs_peer& peer) { return peer.locality.generation == 2; });
  const std::chrono::duration<double> time = Clock::now() - begin;
  RecordProperty("seconds", std::to_string(time.count()));
  EXPECT_EQ(b.at(to_a).path, FI_XS_PATH_FABRIC);
}

TEST_P(LifeCycleTest, who_computes_leaves_the_ring_of_a_peer_that_moves) {
  talk_until_ring();
  b.move_to("B");
  wait_until_b_sees([&](const struct fi_xs_peer&) { return a.at(to_b).left == 1; });
  EXPECT_EQ(a.at(to_b).path, FI_XS_PATH_FABRIC);
  EXPECT_EQ(b.home().generation, 2u);
}

TEST_P(LifeCycleTest, what_stood_in_the_ring_comes_once_though_its_sender_computes) {
  talk_until_ring();
  constexpr unsigned kMessages = 20;
  std::array<std::uint32_t, kMessages> rooms{};
  for (std::uint32_t i = 0; i < kMessages; ++i)
    ASSERT_EQ(fi_tinject(a.ep.get(), &i, sizeof i, to_b, 100 + i), 0);
  EXPECT_EQ(a.at(to_b).path, FI_XS_PATH_RING);
  a.move_to("B seen=ones lost=60000");  // b learns nothing of it by itself
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_GE(a.at(to_b).replayed, kMessages) << "over the fabric";
  for (std::uint32_t i = 0; i < kMessages; ++i)
    ASSERT_EQ(fi_trecv(b.ep.get(), &rooms[i], sizeof rooms[i], nullptr, to_a, 100 + i, 0, nullptr),
              0);
  unsigned came = 0;
  until([&] {
    struct fi_cq_tagged_entry entry;
    came += fi_cq_read(b.cq.get(), &entry, 1) == 1;
    return came == kMessages;
  });
  for (std::uint32_t i = 0; i < kMessages; ++i) EXPECT_EQ(rooms[i], i);
  talk();
}

TEST_P(LifeCycleTest, call_that_is_refused_leaves_the_door_open) {
  talk_until_ring();
  EXPECT_EQ(fi_tsend(a.ep.get(), nullptr, 8, nullptr, to_b, 1, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_trecv(a.ep.get(), nullptr, 8, nullptr, to_b, 1, 0, nullptr), -FI_EINVAL);
  a.move_to("B");
  wait_until_b_sees([](const struct fi_xs_peer& peer) { return peer.locality.generation == 2; });
}

// Application and visitor go in and out beside each other: for ThreadSanitizer.
TEST_P(LifeCycleTest, who_is_inside_all_the_time_is_not_disturbed) {
  std::atomic<bool> done = false;
  std::thread mover([&] {
    for (int i = 0; i < 20; ++i) {
      a.move_to(i % 2 == 0 ? "B" : "A");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    done = true;
  });
  while (!done) talk();
  mover.join();
  talk_until([&] { return a.home().generation > 2; });
}

TEST_P(LifeCycleTest, thread_sleeps_while_nothing_moves) {
  talk_until_ring();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // until it has seen the meeting
  const unsigned long before = switches_of("xs-life");
  EXPECT_GT(before, 0u) << "there is one";
  for (int i = 0; i < 100; ++i) {
    talk();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(switches_of("xs-life"), before);
}

INSTANTIATE_TEST_SUITE_P(, LifeCycleTest, testing::Values(FI_THREAD_DOMAIN, FI_THREAD_SAFE),
                         [](const auto& threading) {
                           return threading.param == FI_THREAD_DOMAIN ? "Domain" : "Safe";
                         });

}  // namespace
}  // namespace xs::abi::test
