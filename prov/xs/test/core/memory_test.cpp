// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/memory.hpp"

#include <gtest/gtest.h>
#include <rdma/fi_errno.h>

#include <array>
#include <cerrno>

#include "sim/dice.hpp"

namespace xs::core {
namespace {

struct RegistrationsTest : testing::Test {
  Registration of(std::span<std::byte> bytes, std::uint64_t key) {
    Registration made;
    made.memory = UserMemory(bytes);
    made.key = key;
    return made;
  }
  sim::Dice random{1};
  std::array<std::byte, 100> bytes{};
};

TEST_F(RegistrationsTest, is_found_under_its_key_and_number) {
  Registrations all({}, random);
  Registration first = of(bytes, 5);
  ASSERT_EQ(all.add(first), 0);
  EXPECT_EQ(all.under(5), &first);
  EXPECT_EQ(all.under(6), nullptr);
  EXPECT_EQ(all.numbered(first.number), &first);
  all.remove(first);
  EXPECT_EQ(all.under(5), nullptr);
  EXPECT_EQ(all.numbered(first.number), nullptr);
}

TEST_F(RegistrationsTest, key_in_use_is_refused) {
  Registrations all({}, random);
  Registration first = of(bytes, 5);
  Registration second = of(bytes, 5);
  ASSERT_EQ(all.add(first), 0);
  EXPECT_EQ(all.add(second), FI_ENOKEY);
  EXPECT_EQ(all.under(5), &first);
  all.remove(first);
  EXPECT_EQ(all.add(second), 0);
  all.remove(second);
}

// An operation that began under a key goes on under a number.
TEST_F(RegistrationsTest, no_number_comes_twice) {
  Registrations all({}, random);
  Registration first = of(bytes, 5);
  ASSERT_EQ(all.add(first), 0);
  const std::uint64_t old = first.number;
  all.remove(first);
  ASSERT_EQ(all.add(first), 0);
  EXPECT_NE(first.number, old);
  EXPECT_EQ(all.numbered(old), nullptr);
  all.remove(first);
}

TEST_F(RegistrationsTest, keys_of_its_own_differ_though_users_ask_for_the_same) {
  Registrations all({.own_keys = true, .virtual_addresses = false}, random);
  Registration first = of(bytes, 5);
  Registration second = of(bytes, 5);
  ASSERT_EQ(all.add(first), 0);
  ASSERT_EQ(all.add(second), 0);
  EXPECT_NE(first.key, second.key);
  all.remove(first);
  all.remove(second);
}

TEST_F(RegistrationsTest, addresses_begin_at_zero_or_where_the_memory_does) {
  Registrations offsets({}, random);
  Registrations addresses({.own_keys = false, .virtual_addresses = true}, random);
  Registration one = of(bytes, 1);
  Registration other = of(bytes, 1);
  ASSERT_EQ(offsets.add(one), 0);
  ASSERT_EQ(addresses.add(other), 0);
  EXPECT_EQ(one.base, 0u);
  EXPECT_EQ(other.base, reinterpret_cast<std::uint64_t>(bytes.data()));
}

TEST_F(RegistrationsTest, holds_what_lies_inside_alone) {
  Registration made = of(bytes, 1);
  made.base = 1000;
  std::size_t offset = 77;
  EXPECT_TRUE(made.holds(1000, 100, offset));
  EXPECT_EQ(offset, 0u);
  EXPECT_TRUE(made.holds(1099, 1, offset));
  EXPECT_EQ(offset, 99u);
  EXPECT_TRUE(made.holds(1100, 0, offset));
  EXPECT_FALSE(made.holds(1100, 1, offset));
  EXPECT_FALSE(made.holds(1101, 0, offset));
  EXPECT_FALSE(made.holds(999, 1, offset));
  EXPECT_FALSE(made.holds(1000, 101, offset));
  EXPECT_FALSE(made.holds(1050, ~0ull, offset)) << "their sum would come back to the beginning";
  EXPECT_FALSE(made.holds(~0ull, 1, offset));
}

// The last bytes of the address space.
TEST_F(RegistrationsTest, holds_at_the_end_of_addresses) {
  Registration made = of(bytes, 1);
  made.base = ~0ull - 99;
  std::size_t offset = 0;
  EXPECT_TRUE(made.holds(~0ull, 1, offset));
  EXPECT_EQ(offset, 99u);
  EXPECT_FALSE(made.holds(~0ull, 2, offset));
  EXPECT_FALSE(made.holds(0, 1, offset));
}

}  // namespace
}  // namespace xs::core
