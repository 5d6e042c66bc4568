// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// <rdma/fi_ext_xs.h>: the event of a domain whose paths have followed a move, and the table that
// tells which way each peer is reached.
#include <rdma/fi_ext_xs.h>

#include <array>
#include <cstring>

#include "face/machines.hpp"
#include "face/meeting.hpp"

namespace xs::abi::test {
namespace {

struct PathsTest : MachinesTest {};

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

// Whose reader knows the events of fi_cm(3), and has room for nothing larger.
TEST(PathsOfConnectionsTest, a_queue_of_connections_has_no_other_events) {
  const Machine machine("A");
  Meeting meeting;
  meeting.connect();
  void* table = nullptr;
  ASSERT_EQ(fi_open_ops(&meeting.domain->fid, FI_XS_DOMAIN_OPS, 0, &table, nullptr), 0);
  machine.move_to("B");
  struct fi_xs_locality home {};
  const auto deadline = Clock::now() + kPatience;
  while (home.generation != 2) {
    ASSERT_LT(Clock::now(), deadline);
    static_cast<const struct fi_xs_ops_domain*>(table)->locality(meeting.domain.get(), &home,
                                                                 sizeof home);
    EXPECT_FALSE(meeting.try_next(1));
  }
  std::array<char, 8> in{};
  ASSERT_EQ(fi_recv(meeting.server.get(), in.data(), in.size(), nullptr, 0, &in), 0);
  ASSERT_EQ(fi_inject(meeting.client.get(), "x", 1, 0), 0);
  EXPECT_EQ(meeting.completion().len, 1u);
  EXPECT_FALSE(meeting.try_next(100));
}

}  // namespace
}  // namespace xs::abi::test
