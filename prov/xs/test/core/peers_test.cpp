// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/peers.hpp"

#include <gtest/gtest.h>

#include "stream/scripted_inner.hpp"

namespace xs::core {
namespace {

using test::test_address;

// The endpoint that tells its peers of the book's news is not here: tests do it.
struct PeersTest : testing::Test {
  AddressBook book;
  Peers peers{&book};
};

TEST_F(PeersTest, same_address_is_same_peer) {
  Peer* peer = peers.at(test_address(1));
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(peer->number, kAnyPeer);
  EXPECT_EQ(peers.at(test_address(1)), peer);
  EXPECT_NE(peers.at(test_address(2)), peer);
}

TEST_F(PeersTest, number_leads_to_its_address) {
  const PeerAddress number = book.insert(test_address(1));
  Peer* peer = peers.of(number);
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(peer->home, test_address(1));
  EXPECT_EQ(peer->number, number);
  EXPECT_EQ(peers.of(number), peer);
}

TEST_F(PeersTest, number_of_nobody_leads_nowhere) {
  EXPECT_EQ(peers.of(0), nullptr);
  EXPECT_EQ(peers.of(kAnyPeer), nullptr);
}

TEST_F(PeersTest, without_a_book_there_are_no_numbers) {
  Peers alone(nullptr);
  EXPECT_EQ(alone.of(0), nullptr);
  EXPECT_NE(alone.at(test_address(1)), nullptr);
}

TEST_F(PeersTest, peer_learns_its_number_later) {
  Peer* peer = peers.at(test_address(1));
  const PeerAddress number = book.insert(test_address(1));
  peers.inserted(number, test_address(1));
  EXPECT_EQ(peer->number, number);
}

TEST_F(PeersTest, removed_number_is_forgotten_but_for_the_statistics) {
  const PeerAddress number = book.insert(test_address(1));
  Peer* peer = peers.of(number);
  ASSERT_EQ(book.remove(number), 0);
  peers.removed(number);
  EXPECT_EQ(peer->number, kAnyPeer);
  EXPECT_EQ(peer->last_number, number);
  EXPECT_EQ(peers.of(number), nullptr);
}

TEST_F(PeersTest, number_used_again_leads_to_the_new_address) {
  const PeerAddress number = book.insert(test_address(1));
  peers.of(number);
  book.remove(number);
  peers.removed(number);
  ASSERT_EQ(book.insert(test_address(2)), number);
  EXPECT_EQ(peers.of(number)->home, test_address(2));
}

}  // namespace
}  // namespace xs::core
