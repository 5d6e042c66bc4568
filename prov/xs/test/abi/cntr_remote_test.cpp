// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sleeping on counters of remote memory, on both sides and without a queue.
#include <rdma/fi_rma.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

#include "face/machines.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

constexpr std::uint64_t kKey = 0xC0DE;

InfoPtr remote_hints() {
  InfoPtr hints = make_hints();
  hints->caps = FI_RMA | FI_RMA_EVENT;
  return hints;
}

// An endpoint with a counter for each side of reads and of writes, and memory that peers may reach.
struct Counted : private Machine, Face {
  explicit Counted(const char* place) : Machine(place), Face(remote_hints().get()) {
    bind(writes, FI_WRITE);
    bind(reads, FI_READ);
    bind(written, FI_REMOTE_WRITE);
    bind(read, FI_REMOTE_READ);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep.get()), 0);
    struct fid_mr* fid = nullptr;
    EXPECT_EQ(fi_mr_reg(domain.get(), memory.data(), memory.size(),
                        FI_REMOTE_READ | FI_REMOTE_WRITE, 0, kKey, 0, &fid, nullptr),
              0);
    mr.reset(fid);
    void* table = nullptr;
    EXPECT_EQ(fi_open_ops(&domain->fid, FI_XS_DOMAIN_OPS, 0, &table, nullptr), 0);
    ops = static_cast<const struct fi_xs_ops_domain*>(table);
  }
  void bind(FidPtr<struct fid_cntr>& counter, std::uint64_t what) {
    struct fi_cntr_attr attr {};
    attr.wait_obj = FI_WAIT_UNSPEC;
    struct fid_cntr* fid = nullptr;
    EXPECT_EQ(fi_cntr_open(domain.get(), &attr, &fid, nullptr), 0);
    counter.reset(fid);
    EXPECT_EQ(fi_ep_bind(ep.get(), &counter->fid, what), 0);
  }
  std::uint32_t path_to(fi_addr_t address) const {
    struct fi_xs_peer peer {};
    EXPECT_EQ(ops->peer(ep.get(), address, &peer, sizeof peer), 0);
    return peer.path;
  }

  std::array<char, 64> memory{};
  FidPtr<struct fid_mr> mr;
  FidPtr<struct fid_cntr> writes, reads, written, read;
  FidPtr<struct fid_av> av = open_av();
  FidPtr<struct fid_ep> ep = open_ep();
  const struct fi_xs_ops_domain* ops = nullptr;
};

struct Sleepers {
  explicit Sleepers(const char* place_of_b) : b(place_of_b) {}

  // Writes until they leave by that path. One thread plays both.
  void write_until(std::uint32_t path) {
    const auto deadline = Clock::now() + kPatience;
    do {
      ++begun;
      ASSERT_EQ(fi_write(a.ep.get(), "abc", 3, nullptr, to_b, 0, kKey, nullptr), 0);
      bool ended = false;
      while (!ended) {
        ASSERT_LT(Clock::now(), deadline) << "that never happens";
        const std::uint64_t there = fi_cntr_read(b.written.get());  // each call makes progress
        ended = fi_cntr_read(a.writes.get()) == begun && there == begun;
      }
    } while (a.path_to(to_b) != path);
  }
  // What b does: nothing but sleep.
  void target() {
    const Clock::time_point start = Clock::now();
    const std::chrono::milliseconds used = processor_time();
    for (std::uint64_t i = 1; i <= kTimes; ++i)
      EXPECT_EQ(fi_cntr_wait(b.written.get(), begun + i, kSoon), 0) << i;
    for (std::uint64_t i = 1; i <= kTimes; ++i)
      EXPECT_EQ(fi_cntr_wait(b.read.get(), i, kSoon), 0) << i;
    EXPECT_LT((processor_time() - used) * 4, Clock::now() - start) << "it slept between";
    b.ep.reset();  // which sends the last answer, if it has not left
  }
  void initiator() {
    std::array<char, 3> room{};
    struct fid_ep* const ep = a.ep.get();
    const Clock::time_point start = Clock::now();
    const std::chrono::milliseconds used = processor_time();
    for (std::uint64_t i = 1; i <= kTimes; ++i) {
      let_sleep();
      ASSERT_EQ(fi_write(ep, "def", 3, nullptr, to_b, 8, kKey, nullptr), 0);
      EXPECT_EQ(fi_cntr_wait(a.writes.get(), begun + i, kSoon), 0) << i;
    }
    // What is refused wakes nobody there, but its answer is sent by who sleeps on something else.
    ASSERT_EQ(fi_write(ep, "ghi", 3, nullptr, to_b, 62, kKey, nullptr), 0);
    EXPECT_EQ(fi_cntr_wait(a.writes.get(), begun + kTimes + 1, kSoon), -FI_EAVAIL);
    EXPECT_EQ(fi_cntr_readerr(a.writes.get()), 1u);
    for (std::uint64_t i = 1; i <= kTimes; ++i) {
      let_sleep();
      ASSERT_EQ(fi_read(ep, room.data(), room.size(), nullptr, to_b, 8, kKey, nullptr), 0);
      EXPECT_EQ(fi_cntr_wait(a.reads.get(), i, kSoon), 0) << i;
    }
    EXPECT_EQ(std::string_view(room.data(), room.size()), "def");
    EXPECT_LT((processor_time() - used) * 4, Clock::now() - start) << "it slept between";
  }
  void run(std::uint32_t path) {
    write_until(path);
    if (testing::Test::HasFatalFailure()) return;
    std::thread other([&] { target(); });
    initiator();
    EXPECT_EQ(a.path_to(to_b), path);
    a.ep.reset();
    other.join();
    EXPECT_EQ(std::string_view(b.memory.data() + 8, 3), "def");
    EXPECT_EQ(b.memory[62], 0);
    EXPECT_EQ(fi_cntr_read(b.written.get()), begun + kTimes) << "the refused one is not counted";
    EXPECT_EQ(fi_cntr_read(b.read.get()), kTimes);
    EXPECT_EQ(fi_cntr_readerr(b.written.get()), 0u);
  }

  static constexpr std::uint64_t kTimes = 5;
  Counted a{"A"}, b;
  fi_addr_t to_b = number_of(*b.ep, *a.av);
  std::uint64_t begun = 0;  // writes, before b sleeps
};

TEST(RemoteCounterWait, sleepers_by_the_fabric) { Sleepers("B").run(FI_XS_PATH_FABRIC); }
TEST(RemoteCounterWait, sleepers_by_a_ring) { Sleepers("A").run(FI_XS_PATH_RING); }

}  // namespace
}  // namespace xs::abi::test
