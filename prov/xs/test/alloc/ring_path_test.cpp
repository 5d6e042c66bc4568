// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the ring path promises under FI_THREAD_DOMAIN: per message no allocation, no lock and no
// system call, in all that the process does, the inner provider included.
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "alloc/counted_locks.hpp"
#include "alloc/failing_new.hpp"
#include "alloc/traced.hpp"
#include "face/face.hpp"

namespace xs::abi::test {
namespace {

using xs::test::locks;
using xs::test::news;
using xs::test::Traced;

constexpr int kWarmUp = 3000;
constexpr int kTurns = 20000;
constexpr std::size_t kSizes[] = {8, 4096};
// The fabric is looked at in one pass of 256, hv in one of 64 of these, and both whenever the
// coarse clock has moved: docs/paths.md section 7. A message adds nothing to that.
constexpr std::uint64_t kLooksPerCall = 250;
constexpr std::uint64_t kCallsPerTick = 4;
constexpr std::uint64_t kCallsAtAll = 64;
constexpr const char* kReport = "XS_TEST_REPORT";  // a descriptor for the figures

InfoPtr one_thread() {
  InfoPtr hints = make_hints();
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  return hints;
}

std::uint64_t ticks() {
  struct timespec now, one;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  clock_getres(CLOCK_MONOTONIC_COARSE, &one);
  return (static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
          static_cast<std::uint64_t>(now.tv_nsec)) /
         static_cast<std::uint64_t>(one.tv_nsec);
}

// One end of the ping-pong; the other one's name comes through Traced::kChildFd.
struct Side : Loop {
  Side() : Loop(one_thread().get()) {
    std::array<std::byte, 128> name{};
    std::size_t size = name.size();
    EXPECT_EQ(fi_getname(&ep->fid, name.data(), &size), 0);
    EXPECT_EQ(write(Traced::kChildFd, name.data(), name.size()), ssize_t(name.size()));
    EXPECT_EQ(read(Traced::kChildFd, name.data(), name.size()), ssize_t(name.size()));
    EXPECT_EQ(fi_av_insert(av.get(), name.data(), 1, &there, 0, nullptr), 1);
  }
  void receive(std::size_t size) {
    ASSERT_EQ(fi_trecv(ep.get(), in.data(), size, nullptr, there, 1, 0, nullptr), 0);
  }
  void send(std::size_t size) {
    while (fi_tsend(ep.get(), out.data(), size, nullptr, there, 1, nullptr) == -FI_EAGAIN) look();
  }
  void look() {
    struct fi_cq_tagged_entry entry {};
    ++looks;
    if (fi_cq_read(cq.get(), &entry, 1) == 1) ++(entry.flags & FI_RECV ? received : sent);
  }
  void until(const std::uint64_t& count, std::uint64_t wanted) {
    while (count < wanted) look();
  }
  void turn(std::size_t size, bool first) {
    receive(size);
    if (first) send(size);
    until(received, ++turns);
    if (!first) send(size);
  }

  std::array<std::byte, 4096> in{}, out{};
  fi_addr_t there = FI_ADDR_UNSPEC;
  std::uint64_t sent = 0, received = 0, turns = 0, looks = 0;
};

struct Cost {
  std::size_t allocations, locks;
  std::uint64_t looks, ticks;
};

// ---- The two processes ----

TEST(RingPathSide, DISABLED_echoes) {
  Side side;
  for (const std::size_t size : kSizes)
    for (int i = 0; i < kWarmUp + kTurns; ++i) side.turn(size, false);
  side.until(side.sent, side.turns);
}

TEST(RingPathSide, DISABLED_measured) {
  Side side;
  std::vector<Cost> costs;
  for (const std::size_t size : kSizes) {
    for (int i = 0; i < kWarmUp; ++i) side.turn(size, true);
    const Cost before{news(), locks(), side.looks, ticks()};
    Traced::pause_here();
    for (int i = 0; i < kTurns; ++i) side.turn(size, true);
    Traced::pause_here();
    costs.push_back({news() - before.allocations, locks() - before.locks, side.looks - before.looks,
                     ticks() - before.ticks});
  }
  const char* const report = getenv(kReport);
  ASSERT_TRUE(report);
  for (const Cost& cost : costs)
    ASSERT_EQ(write(atoi(report), &cost, sizeof cost), ssize_t(sizeof cost));
  side.until(side.sent, side.turns);
}

// ---- What they cost ----

TEST(RingPathTest, messages_cost_no_allocation_no_lock_and_no_system_call) {
  // No larger ring takes the place of the first one meanwhile.
  setenv("FI_XS_RING_SIZE", "65536", 1);
  setenv("FI_XS_RING_LARGEST", "65536", 1);
  int names[2], report[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, names), 0);
  ASSERT_EQ(pipe(report), 0);
  setenv(kReport, std::to_string(report[1]).c_str(), 1);
  Traced echo("RingPathSide.DISABLED_echoes", names[0], false);
  Traced measured("RingPathSide.DISABLED_measured", names[1], true);
  for (const int fd : {names[0], names[1], report[1]}) close(fd);
  const std::vector<std::size_t> calls = measured.count_calls(3);
  ASSERT_TRUE(measured.ended_well());
  ASSERT_TRUE(echo.ended_well());
  if (calls.empty()) GTEST_SKIP() << "system calls can't be counted here";
  ASSERT_EQ(calls.size(), 3u);
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    Cost cost{};
    ASSERT_EQ(read(report[0], &cost, sizeof cost), ssize_t(sizeof cost));
    const std::size_t system_calls = calls[2 * i];
    printf(
        "%zu bytes, %d round trips: %zu system calls, %zu allocations, %zu locks; %llu looks, "
        "%llu ticks\n",
        kSizes[i], kTurns, system_calls, cost.allocations, cost.locks,
        static_cast<unsigned long long>(cost.looks), static_cast<unsigned long long>(cost.ticks));
    EXPECT_EQ(cost.allocations, 0u);
    EXPECT_EQ(cost.locks, 0u);
    EXPECT_LE(system_calls, cost.looks / kLooksPerCall + kCallsPerTick * cost.ticks + kCallsAtAll);
  }
  close(report[0]);
}

}  // namespace
}  // namespace xs::abi::test
