// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/bulk_watch.hpp"

#include <gtest/gtest.h>

#include "stream/scripted_inner.hpp"

namespace xs::core {
namespace {

struct BulkWatchTest : testing::Test {
  BulkWatchTest() {
    peer.announced.push_back(send);
    receive.become_rendezvous();
    peer.receiving.push_back(receive);
  }
  ~BulkWatchTest() override {
    peer.announced.remove(send);
    peer.receiving.remove(receive);
  }
  // What is found within that many quiet intervals.
  Bulk* within(unsigned quiets) {
    Bulk* found = nullptr;
    for (unsigned i = 0; i <= quiets && !found; ++i) {
      found = watch.overdue(peers, now);
      now += kQuiet;
    }
    return found;
  }

  static constexpr util::Nanoseconds kQuiet = 200 * util::kMillisecond;
  Peers peers{nullptr};
  Peer& peer = *peers.at(test::test_address(1));  // without a session: it has ended
  SendRequest send;
  ReceiveRequest receive;
  BulkWatch watch{kQuiet};
  util::Nanoseconds now = util::kSecond;
};

TEST_F(BulkWatchTest, nothing_under_way_is_never_late) { EXPECT_EQ(within(100), nullptr); }

TEST_F(BulkWatchTest, send_that_has_ended_is_soon_late) {
  send.bulk.under_way = true;
  send.settled = true;
  send.error = ECONNRESET;
  EXPECT_EQ(within(1), nullptr);
  EXPECT_EQ(within(3), &send.bulk);
}

TEST_F(BulkWatchTest, transfer_on_a_way_that_was_left_has_more_time) {
  receive.bulk.under_way = true;
  EXPECT_EQ(within(40), nullptr);
  EXPECT_EQ(within(20), &receive.bulk);
}

TEST_F(BulkWatchTest, receive_that_has_ended_is_soon_late) {
  receive.bulk.under_way = true;
  receive.ended = ECONNRESET;
  EXPECT_EQ(within(4), &receive.bulk);
}

}  // namespace
}  // namespace xs::core
