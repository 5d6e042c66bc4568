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
constexpr std::size_t kLargest = 4096;
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

// What both do, as seen by who is measured. A burst is several times what a ring holds, and less
// than the first chunk of requests: its sender waits for room again and again.
enum class Play { kPingPong, kSendsBursts, kTakesBursts };
constexpr int kBurst = 48;
constexpr int kWord = 8;  // bytes of what asks for a burst
struct Stretch {
  const char* name;
  Play play;
  std::size_t size;
  int warm_up, turns;
};
constexpr Stretch kStretches[] = {
    {"ping-pong", Play::kPingPong, 8, kWarmUp, kTurns},
    {"ping-pong", Play::kPingPong, kLargest, kWarmUp, kTurns},
    {"bursts sent", Play::kSendsBursts, kLargest, kWarmUp / kBurst, kTurns / kBurst},
    {"bursts taken", Play::kTakesBursts, kLargest, kWarmUp / kBurst, kTurns / kBurst},
};

// One end of all that; the other one's name comes through Traced::kChildFd.
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
    ++sends;
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
    until(received, ++receives);
    if (!first) send(size);
  }
  // Nothing comes before its receive is there: what asks for the next burst is waited for before
  // the present one is sent.
  void give(std::size_t size, bool first, bool last) {
    if (first) receive(kWord);
    until(received, ++receives);
    if (!last) receive(kWord);
    for (int i = 0; i < kBurst; ++i) send(size);
    until(sent, sends);
  }
  void take(std::size_t size) {
    for (int i = 0; i < kBurst; ++i) receive(size);
    send(kWord);
    until(received, receives += kBurst);
  }
  // Turns of a stretch, from one number to another.
  void play(const Stretch& stretch, bool measured, int from, int to) {
    for (int i = from; i < to; ++i) {
      if (stretch.play == Play::kPingPong)
        turn(stretch.size, measured);
      else if ((stretch.play == Play::kSendsBursts) == measured)
        give(stretch.size, i == 0, i + 1 == stretch.warm_up + stretch.turns);
      else
        take(stretch.size);
    }
  }

  std::array<std::byte, kLargest> in{}, out{};
  fi_addr_t there = FI_ADDR_UNSPEC;
  std::uint64_t sent = 0, sends = 0, received = 0, receives = 0, looks = 0;
};

struct Cost {
  std::size_t allocations, locks;
  std::uint64_t looks, ticks;
};

// ---- The two processes ----

TEST(RingPathSide, DISABLED_echoes) {
  Side side;
  for (const Stretch& each : kStretches) side.play(each, false, 0, each.warm_up + each.turns);
  side.until(side.sent, side.sends);
}

TEST(RingPathSide, DISABLED_measured) {
  Side side;
  std::vector<Cost> costs;
  for (const Stretch& each : kStretches) {
    side.play(each, true, 0, each.warm_up);
    const Cost before{news(), locks(), side.looks, ticks()};
    Traced::pause_here();
    side.play(each, true, each.warm_up, each.warm_up + each.turns);
    Traced::pause_here();
    costs.push_back({news() - before.allocations, locks() - before.locks, side.looks - before.looks,
                     ticks() - before.ticks});
  }
  const char* const report = getenv(kReport);
  ASSERT_TRUE(report);
  for (const Cost& cost : costs)
    ASSERT_EQ(write(atoi(report), &cost, sizeof cost), ssize_t(sizeof cost));
  side.until(side.sent, side.sends);
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
  const std::vector<std::size_t> calls = measured.count_calls(2 * std::size(kStretches) - 1);
  ASSERT_TRUE(measured.ended_well());
  ASSERT_TRUE(echo.ended_well());
  if (calls.empty()) GTEST_SKIP() << "system calls can't be counted here";
  ASSERT_EQ(calls.size(), 2 * std::size(kStretches) - 1);
  for (std::size_t i = 0; i < std::size(kStretches); ++i) {
    Cost cost{};
    ASSERT_EQ(read(report[0], &cost, sizeof cost), ssize_t(sizeof cost));
    const std::size_t system_calls = calls[2 * i];
    printf(
        "%s of %zu bytes, %d turns: %zu system calls, %zu allocations, %zu locks; %llu looks, "
        "%llu ticks\n",
        kStretches[i].name, kStretches[i].size, kStretches[i].turns, system_calls, cost.allocations,
        cost.locks, static_cast<unsigned long long>(cost.looks),
        static_cast<unsigned long long>(cost.ticks));
    EXPECT_EQ(cost.allocations, 0u);
    EXPECT_EQ(cost.locks, 0u);
    EXPECT_LE(system_calls, cost.looks / kLooksPerCall + kCallsPerTick * cost.ticks + kCallsAtAll);
  }
  close(report[0]);
}

}  // namespace
}  // namespace xs::abi::test
