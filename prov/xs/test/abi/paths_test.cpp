// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// <rdma/fi_ext_xs.h>: the event of a domain whose paths have followed a move, and the table that
// tells which way each peer is reached. Two domains of this process stand for two processes, each
// in a simulated virtual machine of its own.
#include <rdma/fi_ext_xs.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kSoon{20};  // what takes longer never happens

// A directory with the file of a simulated virtual machine.
struct Machine {
  explicit Machine(const char* place) : directory(testing::TempDir() + "xs-paths-XXXXXX") {
    EXPECT_NE(mkdtemp(directory.data()), nullptr);
    move_to(place);
    setenv("FI_XS_SIM_HOST", ("@" + directory + "/place").c_str(), 1);
  }
  ~Machine() {
    unsetenv("FI_XS_SIM_HOST");
    std::filesystem::remove_all(directory);
  }
  // By a rename, so that nobody sees an empty file: each is one move.
  void move_to(const char* place) const {
    const std::string made = directory + "/new";
    std::ofstream(made) << place << '\n';
    std::filesystem::rename(made, directory + "/place");
  }
  std::string directory;
};

enum class Bound { kDomain, kEndpoint };

struct Process : private Machine, Loop {
  explicit Process(const char* place, Bound bound = Bound::kDomain)
      : Machine(place), Loop(nullptr), events(open_eq()) {
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

  fi_addr_t know(const Process& other) {
    std::array<std::byte, 64> name;
    std::size_t size = name.size();
    EXPECT_EQ(fi_getname(&other.ep->fid, name.data(), &size), 0);
    fi_addr_t number = FI_ADDR_NOTAVAIL;
    EXPECT_EQ(fi_av_insert(av.get(), name.data(), 1, &number, 0, nullptr), 1);
    return number;
  }
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

struct PathsTest : testing::Test {
  ~PathsTest() override {
    std::thread other([&] { b.ep.reset(); });
    a.ep.reset();
    other.join();
  }
  // One message there and one back.
  void talk() {
    std::array<char, 64> room{};
    for (Process* side : {&a, &b})
      ASSERT_EQ(fi_trecv(side->ep.get(), room.data(), room.size(), nullptr, FI_ADDR_UNSPEC, 1, 0,
                         nullptr),
                0);
    ASSERT_EQ(fi_tinject(a.ep.get(), room.data(), 8, to_b, 1), 0);
    ASSERT_EQ(fi_tinject(b.ep.get(), room.data(), 8, to_a, 1), 0);
    bool came_a = false, came_b = false;
    struct fi_cq_tagged_entry entry;
    until([&] {
      came_a = came_a || fi_cq_read(a.cq.get(), &entry, 1) == 1;
      came_b = came_b || fi_cq_read(b.cq.get(), &entry, 1) == 1;
      return came_a && came_b;
    });
  }
  void until(const std::function<bool()>& done) {
    const auto deadline = Clock::now() + kSoon;
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

  Process a{"A"};
  Process b{"A", Bound::kEndpoint};
  fi_addr_t to_b = a.know(b);
  fi_addr_t to_a = b.know(a);
};

TEST_F(PathsTest, table_tells_what_carries_the_messages) {
  EXPECT_EQ(a.at(to_b).path, FI_XS_PATH_NONE);
  EXPECT_EQ(a.at(to_b).locality.generation, 0u) << "nobody has greeted it";
  EXPECT_EQ(a.at(a.self).path, FI_XS_PATH_SELF);
  talk_until_ring();
  const struct fi_xs_peer before = a.at(to_b);
  talk();
  const struct fi_xs_peer after = a.at(to_b);
  EXPECT_EQ(after.ring.sent_messages, before.ring.sent_messages + 1);
  EXPECT_EQ(after.ring.sent_bytes, before.ring.sent_bytes + 8);
  EXPECT_GT(after.fabric.sent_messages, 0u) << "the first ones";
  EXPECT_EQ(after.joined, 1u);
  EXPECT_EQ(after.left, 0u);
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_GT(after.epoch, 0u);
  EXPECT_EQ(after.ring_pages, 16u);
  EXPECT_EQ(after.since, before.since);
  const auto now = Clock::now().time_since_epoch();
  EXPECT_LE(after.since, static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count()));
  EXPECT_GT(after.since, 0u);
  EXPECT_EQ(after.locality.generation, 1u);
  EXPECT_EQ(a.home().generation, 1u);
  EXPECT_EQ(a.home().domid, 1u);
  EXPECT_EQ(a.event(), 0u) << "nobody has moved";
  EXPECT_EQ(b.event(), 0u);
}

TEST_F(PathsTest, event_says_that_we_have_moved) {
  talk_until_ring();
  const std::uint64_t since = a.at(to_b).since;
  a.move_to("B");
  std::uint64_t generation = 0;
  talk_until([&] { return (generation = a.event()) != 0; });
  EXPECT_EQ(generation, 2u);
  EXPECT_EQ(a.home().generation, 2u);
  EXPECT_EQ(a.home().domid, 2u) << "simulated machines count them";
  EXPECT_EQ(a.at(to_b).path, FI_XS_PATH_FABRIC);
  EXPECT_GE(a.at(to_b).since, since);
  EXPECT_EQ(a.at(to_b).left, 1u);
}

TEST_F(PathsTest, event_says_that_a_peer_has_moved) {
  talk_until_ring();
  a.move_to("B");
  std::uint64_t generation = 0;
  talk_until([&] { return (generation = b.event()) != 0; });
  EXPECT_EQ(generation, 1u) << "its own, which is what it was";
  EXPECT_EQ(b.at(to_a).locality.generation, 2u);
  EXPECT_EQ(b.at(to_a).path, FI_XS_PATH_FABRIC);
}

TEST_F(PathsTest, another_event_says_that_the_ring_is_back) {
  talk_until_ring();
  a.move_to("B");
  talk_until([&] { return a.event() != 0 && a.at(to_b).path == FI_XS_PATH_FABRIC; });
  a.move_to("A");
  std::uint32_t told = FI_XS_PATH_NONE;  // both may have become one
  talk_until([&] {
    if (a.event() == 3) told = a.at(to_b).path;
    return told == FI_XS_PATH_RING;
  });
  EXPECT_EQ(a.at(to_b).joined, 2u);
  talk();
  EXPECT_EQ(a.event(), 0u);
}

TEST_F(PathsTest, one_event_that_was_not_read_stands_for_all) {
  talk_until_ring();
  for (const char* place : {"B", "A", "B"}) {
    const std::uint64_t before = a.home().generation;
    a.move_to(place);
    talk_until([&] { return a.home().generation > before; });
  }
  EXPECT_EQ(a.event(), 4u);
  EXPECT_EQ(a.event(), 0u);
}

TEST_F(PathsTest, struct_of_another_version_gets_what_there_is) {
  talk();
  struct {
    struct fi_xs_peer known;
    std::uint64_t later;
  } newer;
  std::memset(&newer, 0xff, sizeof newer);
  EXPECT_EQ(a.ops->peer(a.ep.get(), to_b, &newer.known, sizeof newer), 0);
  EXPECT_EQ(newer.later, 0u);
  EXPECT_NE(newer.known.path, FI_XS_PATH_NONE);
  std::array<std::uint32_t, 2> older{0xffffffff, 0xffffffff};
  EXPECT_EQ(a.ops->peer(a.ep.get(), to_b, reinterpret_cast<struct fi_xs_peer*>(older.data()),
                        sizeof older[0]),
            0);
  EXPECT_NE(older[0], FI_XS_PATH_NONE);
  EXPECT_EQ(older[1], 0xffffffff) << "beyond its end";
}

TEST_F(PathsTest, bad_questions_have_answers) {
  void* table = this;
  EXPECT_EQ(fi_open_ops(&a.domain->fid, "xs_domain_ops 2", 0, &table, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_open_ops(&a.domain->fid, FI_XS_DOMAIN_OPS, 1, &table, nullptr), -FI_EBADFLAGS);
  EXPECT_EQ(table, this);
  EXPECT_EQ(a.ops->size, sizeof *a.ops);
  struct fi_xs_peer peer {};
  EXPECT_EQ(a.ops->peer(a.ep.get(), to_b, nullptr, sizeof peer), -FI_EINVAL);
  EXPECT_EQ(a.ops->peer(nullptr, to_b, &peer, sizeof peer), -FI_EINVAL);
  EXPECT_EQ(a.ops->peer(a.ep.get(), 4711, &peer, sizeof peer), -FI_EADDRNOTAVAIL);
  EXPECT_EQ(a.ops->peer(a.ep.get(), FI_ADDR_UNSPEC, &peer, sizeof peer), -FI_EADDRNOTAVAIL);
  EXPECT_EQ(a.ops->peer(a.second.get(), to_b, &peer, sizeof peer), -FI_EOPBADSTATE);
  EXPECT_EQ(a.ops->locality(a.domain.get(), nullptr, 0), -FI_EINVAL);
  EXPECT_EQ(a.ops->locality(nullptr, nullptr, 0), -FI_EINVAL);
}

}  // namespace
}  // namespace xs::abi::test
