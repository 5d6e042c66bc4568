// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two domains of this process that stand for two processes, each in a simulated virtual machine of
// its own.
#pragma once
#include <rdma/fi_ext_xs.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "face/face.hpp"
#include "hv/simulated_vm.hpp"

namespace xs::abi::test {

using Clock = std::chrono::steady_clock;
inline constexpr std::chrono::seconds kPatience{20};  // what takes longer never happens

// A simulated virtual machine that the next domain of this process is opened in.
struct Machine {
  explicit Machine(const char* place) : vm(place) {
    setenv("FI_XS_SIM_HOST", vm.option().c_str(), 1);
  }
  ~Machine() { unsetenv("FI_XS_SIM_HOST"); }
  // By a rename, so that nobody sees an empty file: each is one move.
  void move_to(const char* place) const { vm.replace(place); }
  const xs::test::SimulatedVm vm;
};

enum class Bound { kDomain, kEndpoint };

struct Process : private Machine, Loop {
  Process(const char* place, Bound bound, const struct fi_info* hints)
      : Machine(place), Loop(hints), events(open_eq()) {
    if (bound == Bound::kDomain) {
      EXPECT_EQ(fi_domain_bind(domain.get(), &events->fid, 0), 0);
    } else {
      EXPECT_EQ(fi_ep_bind(second.get(), &events->fid, 0), 0);
    }
    void* table = nullptr;
    EXPECT_EQ(fi_open_ops(&domain->fid, FI_XS_DOMAIN_OPS, 0, &table, nullptr), 0);
    ops = static_cast<const struct fi_xs_ops_domain*>(table);
  }
  // A queue is closed after what reports to it.
  ~Process() {
    ep.reset();
    second.reset();
    av.reset();
    cq.reset();
    domain.reset();
  }
  using Machine::move_to;

  fi_addr_t know(const Process& other) { return number_of(*other.ep, *av); }
  struct fi_xs_peer at(fi_addr_t address) const {
    struct fi_xs_peer peer {};
    EXPECT_EQ(ops->peer(ep.get(), address, &peer, sizeof peer), 0);
    return peer;
  }
  struct fi_xs_locality home() const {
    struct fi_xs_locality locality {};
    EXPECT_EQ(ops->locality(domain.get(), &locality, sizeof locality), 0);
    return locality;
  }
  // 0: there was none.
  std::uint64_t event() const {
    std::uint32_t number = 0;
    struct fi_eq_entry entry {};
    const ssize_t rc = fi_eq_read(events.get(), &number, &entry, sizeof entry, 0);
    if (rc == -FI_EAGAIN) return 0;
    EXPECT_EQ(rc, static_cast<ssize_t>(sizeof entry));
    EXPECT_EQ(number, FI_XS_PATHS_REFRESHED);
    EXPECT_EQ(entry.fid, &domain->fid);
    EXPECT_EQ(entry.context, domain->fid.context);
    return entry.data;
  }

  FidPtr<struct fid_eq> events;
  FidPtr<struct fid_ep> second = open_ep();  // stays closed: it only lends its queue
  const struct fi_xs_ops_domain* ops = nullptr;
};

// One thread plays both, but where a test begins another.
struct MachinesTest : testing::Test {
  explicit MachinesTest(const struct fi_info* hints = nullptr)
      : a("A", Bound::kDomain, hints), b("A", Bound::kEndpoint, hints) {}
  ~MachinesTest() override { part(); }
  // Both close their endpoints, if they have not.
  void part() {
    std::thread other([&] { b.ep.reset(); });
    a.ep.reset();
    other.join();
  }
  // One message there and one back.
  void talk() {
    // One each: a life-cycle thread may write one while the other side is read.
    std::array<char, 64> of_a{}, of_b{};
    const std::array<char, 8> words{};
    const auto post = [](Process& side, std::array<char, 64>& room) {
      return fi_trecv(side.ep.get(), room.data(), room.size(), nullptr, FI_ADDR_UNSPEC, 1, 0,
                      nullptr);
    };
    ASSERT_EQ(post(a, of_a), 0);
    ASSERT_EQ(post(b, of_b), 0);
    ASSERT_EQ(fi_tinject(a.ep.get(), words.data(), words.size(), to_b, 1), 0);
    ASSERT_EQ(fi_tinject(b.ep.get(), words.data(), words.size(), to_a, 1), 0);
    bool came_a = false, came_b = false;
    struct fi_cq_tagged_entry entry;
    until([&] {
      came_a = came_a || fi_cq_read(a.cq.get(), &entry, 1) == 1;
      came_b = came_b || fi_cq_read(b.cq.get(), &entry, 1) == 1;
      return came_a && came_b;
    });
  }
  void until(const std::function<bool()>& done) {
    const auto deadline = Clock::now() + kPatience;
    while (!done()) ASSERT_LT(Clock::now(), deadline) << "that never happens";
  }
  void talk_until(const std::function<bool()>& done) {
    until([&] {
      talk();
      return HasFatalFailure() || done();
    });
  }
  void talk_until_ring() {
    talk_until(
        [&] { return a.at(to_b).path == FI_XS_PATH_RING && b.at(to_a).path == FI_XS_PATH_RING; });
  }

  Process a, b;
  fi_addr_t to_b = a.know(b);
  fi_addr_t to_a = b.know(a);
};

}  // namespace xs::abi::test
