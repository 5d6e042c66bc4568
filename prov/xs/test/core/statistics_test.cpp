// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/statistics.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

struct StatisticsTest : testing::Test {
  ~StatisticsTest() override { std::remove(path.c_str()); }
  std::string written() {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string prefix = testing::TempDir() + "xs-statistics-test";
  std::string path = prefix + "." + std::to_string(getpid());
  Rig rig;
};

TEST_F(StatisticsTest, one_line_for_each_peer_that_was_heard) {
  Stranger peer{2000};
  Stranger silent{2001, 0x6161};
  rig.meet(peer);
  rig.meet(silent);
  rig.hear(peer.next(proto::Kind::kEager, eager(1, text("hello"))));
  write_statistics(*rig.endpoint, prefix);
  EXPECT_EQ(written(),
            "peer fi_addr=-1 addr=10.0.0.1:2000 path=fabric tx_msgs=0 tx_bytes=0 rx_msgs=1 "
            "rx_bytes=5 replayed=0\n");
}

TEST_F(StatisticsTest, a_line_for_the_ring_says_how_often_it_came_and_went) {
  Stranger peer{2000};
  rig.meet(peer);
  rig.endpoint->peers().for_each([](Peer& each) {
    if (each.self) return;
    each.ring.sent_messages = 2;
    each.ring.sent_bytes = 70;
    each.paths = {.joined = 3, .left = 4, .faults = 1};
    each.replayed = 5;
  });
  write_statistics(*rig.endpoint, prefix);
  EXPECT_EQ(written(),
            "peer fi_addr=-1 addr=10.0.0.1:2000 path=ring tx_msgs=2 tx_bytes=70 rx_msgs=0 "
            "rx_bytes=0 replayed=0 joined=3 left=4\n");
}

TEST_F(StatisticsTest, lines_of_who_was_moved_say_how_long_that_was_felt) {
  Stranger peer{2000};
  rig.meet(peer);
  rig.endpoint->peers().for_each([](Peer& each) {
    if (each.self) return;
    each.fabric.sent_messages = each.ring.sent_messages = 1;
    each.moves = {.moves = 2, .fabric = 812 * util::kMillisecond + 1, .ring = 0};
  });
  write_statistics(*rig.endpoint, prefix);
  EXPECT_EQ(written(),
            "peer fi_addr=-1 addr=10.0.0.1:2000 path=fabric tx_msgs=1 tx_bytes=0 rx_msgs=0 "
            "rx_bytes=0 replayed=0 moves=2 back_ms=813\n"
            "peer fi_addr=-1 addr=10.0.0.1:2000 path=ring tx_msgs=1 tx_bytes=0 rx_msgs=0 "
            "rx_bytes=0 replayed=0 joined=0 left=0 moves=2 back_ms=0\n");
}

TEST_F(StatisticsTest, operations_on_memory_are_told_if_there_were_any) {
  Stranger peer{2000};
  rig.meet(peer);
  rig.endpoint->peers().for_each([](Peer& each) {
    if (each.self) return;
    each.rma.fabric.initiated = {.writes = {1, 10}, .reads = {2, 20}, .atomics = {3, 30}};
    each.rma.ring.served.reads = {4, 40};
  });
  write_statistics(*rig.endpoint, prefix);
  EXPECT_EQ(written(),
            "peer fi_addr=-1 addr=10.0.0.1:2000 path=fabric tx_msgs=0 tx_bytes=0 rx_msgs=0 "
            "rx_bytes=0 replayed=0 tx_writes=1 tx_write_bytes=10 tx_reads=2 tx_read_bytes=20 "
            "tx_atomics=3 tx_atomic_bytes=30\n"
            "peer fi_addr=-1 addr=10.0.0.1:2000 path=ring tx_msgs=0 tx_bytes=0 rx_msgs=0 "
            "rx_bytes=0 replayed=0 joined=0 left=0 rx_writes=0 rx_write_bytes=0 rx_reads=4 "
            "rx_read_bytes=40 rx_atomics=0 rx_atomic_bytes=0\n");
}

TEST_F(StatisticsTest, no_prefix_writes_nothing) {
  write_statistics(*rig.endpoint, "");
  EXPECT_EQ(access(path.c_str(), F_OK), -1);
}

TEST_F(StatisticsTest, place_that_cannot_be_written_is_no_failure) {
  write_statistics(*rig.endpoint, "/nowhere/at/all");
}

}  // namespace
}  // namespace xs::core::test
