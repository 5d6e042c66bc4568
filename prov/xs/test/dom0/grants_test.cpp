// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/grants.hpp"

#include <gtest/gtest.h>

#include <random>

namespace xs::test {

namespace {

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
  std::vector<std::byte> all;
  for (const unsigned each : values) all.push_back(static_cast<std::byte>(each));
  return all;
}

// Flags, reader, frame, as xen/grant_table.h has them.
TEST(Dom0Grants, AreCountedByReader) {
  const auto table = bytes({
      0x19, 0, 2, 0, 9, 9, 9, 9,  // domain 2 has it mapped, writable
      0x0d, 0, 1, 0, 9, 9, 9, 9,  // read-only, mapped
      0x05, 0, 1, 0, 9, 9, 9, 9,  // read-only
      0x02, 0, 1, 0, 9, 9, 9, 9,  // a transfer
      0x00, 0, 0, 0, 0, 0, 0, 0,  // nothing
      0x01, 0, 0, 1, 9, 9, 9, 9,  // to domain 256
  });
  const std::vector<dom0::Grants::To> expected{{1, 2, 2, 1}, {2, 1, 0, 1}, {256, 1, 0, 0}};
  EXPECT_EQ(dom0::count_grants(table), expected);
}

TEST(Dom0Grants, AnEndThatIsNoEntryIsLeftOut) {
  EXPECT_TRUE(dom0::count_grants(bytes({0x01, 0, 1, 0, 9, 9, 9})).empty());
  EXPECT_TRUE(dom0::count_grants({}).empty());
}

TEST(Dom0Grants, AnyTableIsCounted) {
  std::mt19937 dice(3);
  std::vector<std::byte> table(64 * 4096);
  for (std::byte& each : table) each = static_cast<std::byte>(dice());
  std::uint64_t pages = 0;
  for (const auto& to : dom0::count_grants(table)) {
    EXPECT_LE(to.read_only, to.pages);
    EXPECT_LE(to.mapped, to.pages);
    pages += to.pages;
  }
  EXPECT_LE(pages, table.size() / dom0::kGrantSize);
}

}  // namespace

}  // namespace xs::test
