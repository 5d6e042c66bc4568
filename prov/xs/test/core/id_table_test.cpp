// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/id_table.hpp"

#include <gtest/gtest.h>

#include <set>

namespace xs::core {
namespace {

TEST(IdTableTest, finds_what_was_added) {
  IdTable<int> table;
  int a = 0;
  int b = 0;
  const auto first = table.add(a);
  const auto second = table.add(b);
  EXPECT_EQ(table.find(first), &a);
  EXPECT_EQ(table.find(second), &b);
}

TEST(IdTableTest, unknown_numbers_find_nothing) {
  IdTable<int> table;
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(~0ull), nullptr);
  int a = 0;
  const auto number = table.add(a);
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(number + 1), nullptr);
  EXPECT_EQ(table.find(number + (1ull << 32)), nullptr);
}

TEST(IdTableTest, no_number_is_given_twice) {
  IdTable<int> table;
  int a = 0;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto number = table.add(a);
    EXPECT_TRUE(seen.insert(number).second);
    table.remove(number);
    EXPECT_EQ(table.find(number), nullptr);
  }
}

}  // namespace
}  // namespace xs::core
