// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Numbers and addresses. What endpoints make of the book's news is tested with endpoints.
#include "core/address_book.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace xs::core {
namespace {

proto::Address address(std::uint16_t port) {
  proto::Address a{.family = 4, .port = port};
  a.ip[0] = std::byte{127};
  a.ip[3] = std::byte{1};
  return a;
}

TEST(AddressBookTest, numbers_from_zero) {
  AddressBook book;
  for (std::uint16_t i = 0; i < 100; ++i) EXPECT_EQ(book.insert(address(i + 1)), i);
  ASSERT_NE(book.lookup(42), nullptr);
  EXPECT_EQ(*book.lookup(42), address(43));
  EXPECT_EQ(book.find(address(43)), 42u);
}

TEST(AddressBookTest, knows_what_it_does_not_have) {
  AddressBook book;
  book.insert(address(1));
  EXPECT_EQ(book.lookup(1), nullptr);
  EXPECT_EQ(book.lookup(kAnyPeer), nullptr);
  EXPECT_EQ(book.find(address(2)), std::nullopt);
  EXPECT_EQ(book.remove(1), ENOENT);
  EXPECT_EQ(book.remove(kAnyPeer), ENOENT);
}

TEST(AddressBookTest, the_same_address_twice_must_be_removed_twice) {
  AddressBook book;
  EXPECT_EQ(book.insert(address(1)), book.insert(address(1)));
  EXPECT_EQ(book.remove(0), 0);
  EXPECT_NE(book.lookup(0), nullptr);
  EXPECT_EQ(book.remove(0), 0);
  EXPECT_EQ(book.lookup(0), nullptr);
  EXPECT_EQ(book.remove(0), ENOENT);
  EXPECT_EQ(book.find(address(1)), std::nullopt);
}

TEST(AddressBookTest, uses_the_number_that_was_free_longest) {
  AddressBook book;
  for (std::uint16_t i = 0; i < 4; ++i) book.insert(address(i + 1));
  book.remove(2);
  book.remove(1);
  EXPECT_EQ(book.insert(address(10)), 2u);
  EXPECT_EQ(book.insert(address(11)), 1u);
  EXPECT_EQ(book.insert(address(12)), 4u);
  EXPECT_EQ(*book.lookup(2), address(10));
}

TEST(AddressBookTest, numbers_stay_few_over_many_insertions_and_removals) {
  AddressBook book;
  std::set<PeerAddress> seen;
  for (int i = 0; i < 20000; ++i) {
    const PeerAddress number = book.insert(address(static_cast<std::uint16_t>(i % 60000 + 1)));
    seen.insert(number);
    EXPECT_EQ(book.remove(number), 0);
  }
  EXPECT_EQ(seen.size(), 1u);
}

}  // namespace
}  // namespace xs::core
