// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who is looked at in a pass.
#include "stream/readers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace xs::stream {
namespace {

struct Reader {
  unsigned looks = 0;
  Visit answer = Visit::kIdle;
};

struct ReadersTest : testing::Test {
  ReadersTest() { readers.reserve(all.size()); }
  bool visit(int passes = 1) {
    bool found = false;
    for (int i = 0; i < passes; ++i)
      found = readers.visit([](Reader& reader) noexcept {
        ++reader.looks;
        return reader.answer;
      });
    return found;
  }
  void add(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) readers.add(&all[i]);
  }
  void forget_all() { visit(static_cast<int>(Readers<Reader>::kForgottenAfter)); }
  void clear_looks() {
    for (Reader& each : all) each.looks = 0;
  }

  std::array<Reader, 16> all;
  Readers<Reader> readers;
};

TEST_F(ReadersTest, nobody_is_nothing) {
  EXPECT_TRUE(readers.empty());
  EXPECT_FALSE(visit());
}

TEST_F(ReadersTest, newcomer_is_busy) {
  add(3);
  EXPECT_EQ(readers.busy(), 3u);
  EXPECT_FALSE(visit());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(all[i].looks, 1u);
}

TEST_F(ReadersTest, same_is_added_once) {
  add(2);
  add(2);
  EXPECT_EQ(readers.size(), 2u);
}

TEST_F(ReadersTest, idle_ones_are_looked_at_in_turn) {
  add(8);
  forget_all();
  EXPECT_EQ(readers.busy(), 0u);
  clear_looks();
  visit(4);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(all[i].looks, 1u) << i;
}

TEST_F(ReadersTest, cost_of_a_pass_does_not_grow_with_the_idle) {
  add(16);
  all[5].answer = Visit::kBusy;
  forget_all();
  EXPECT_EQ(readers.busy(), 1u);
  clear_looks();
  visit();
  unsigned looks = 0;
  for (const Reader& each : all) looks += each.looks;
  EXPECT_EQ(looks, 3u);
  EXPECT_EQ(all[5].looks, 1u);
}

TEST_F(ReadersTest, find_makes_busy_again) {
  add(16);
  forget_all();
  all[9].answer = Visit::kBusy;
  bool found = false;
  for (int i = 0; i < 8; ++i) found = visit() || found;
  EXPECT_TRUE(found);
  EXPECT_EQ(readers.busy(), 1u);
  all[9].answer = Visit::kIdle;
  clear_looks();
  visit(static_cast<int>(Readers<Reader>::kForgottenAfter) - 1);
  EXPECT_EQ(readers.busy(), 1u);
  visit();
  EXPECT_EQ(readers.busy(), 0u);
}

TEST_F(ReadersTest, finds_keep_busy) {
  add(1);
  for (int i = 0; i < 4; ++i) {
    visit(static_cast<int>(Readers<Reader>::kForgottenAfter) - 1);
    all[0].answer = Visit::kBusy;
    EXPECT_TRUE(visit());
    all[0].answer = Visit::kIdle;
  }
  EXPECT_EQ(readers.busy(), 1u);
}

TEST_F(ReadersTest, who_is_over_goes) {
  add(6);
  all[2].answer = Visit::kOver;
  EXPECT_FALSE(visit());
  EXPECT_EQ(readers.size(), 5u);
  forget_all();
  all[4].answer = Visit::kOver;
  visit(3);
  EXPECT_EQ(readers.size(), 4u);
  clear_looks();
  visit(2);
  EXPECT_EQ(all[2].looks + all[4].looks, 0u);
  for (const std::size_t i : {0, 1, 3, 5}) EXPECT_EQ(all[i].looks, 1u) << i;
}

TEST_F(ReadersTest, all_go_in_one_pass) {
  add(16);
  for (Reader& each : all) each.answer = Visit::kOver;
  visit();
  EXPECT_TRUE(readers.empty());
  EXPECT_EQ(readers.busy(), 0u);
  for (const Reader& each : all) EXPECT_EQ(each.looks, 1u);
}

TEST_F(ReadersTest, removed_between_visits) {
  add(5);
  readers.remove(&all[0]);
  readers.remove(&all[0]);
  EXPECT_EQ(readers.size(), 4u);
  EXPECT_EQ(readers.busy(), 4u);
  forget_all();
  readers.remove(&all[3]);
  EXPECT_EQ(readers.size(), 3u);
  EXPECT_EQ(readers.busy(), 0u);
  clear_looks();
  visit(3);
  EXPECT_EQ(all[0].looks + all[3].looks, 0u);
  for (const std::size_t i : {1, 2, 4}) EXPECT_EQ(all[i].looks, 2u) << i;
}

TEST_F(ReadersTest, for_each_sees_busy_and_idle) {
  add(4);
  forget_all();
  readers.add(&all[4]);
  std::set<const Reader*> seen;
  readers.for_each([&](Reader& each) { seen.insert(&each); });
  EXPECT_EQ(seen.size(), 5u);
}

TEST_F(ReadersTest, added_while_a_busy_one_is_looked_at) {
  add(2);
  readers.visit([&](Reader&) noexcept {
    readers.add(&all[7]);
    return Visit::kIdle;
  });
  EXPECT_EQ(readers.size(), 3u);
  EXPECT_EQ(readers.busy(), 3u);
  visit();
  EXPECT_EQ(all[0].looks + all[1].looks + all[7].looks, 3u);
}

// What was found is credited to who was looked at, wherever it stands by then.
TEST_F(ReadersTest, added_while_an_idle_one_is_looked_at) {
  add(4);
  forget_all();
  Reader* looked_at = nullptr;
  readers.visit([&](Reader& reader) noexcept {
    if (looked_at) return Visit::kIdle;
    looked_at = &reader;
    readers.add(&all[7]);
    return Visit::kOver;
  });
  EXPECT_EQ(readers.size(), 4u);
  bool stays = false, comes = false;
  readers.for_each([&](Reader& each) {
    stays = stays || &each == looked_at;
    comes = comes || &each == &all[7];
  });
  EXPECT_FALSE(stays);
  EXPECT_TRUE(comes);
}

TEST_F(ReadersTest, newcomer_is_not_judged_for_whose_place_it_took) {
  add(1);
  forget_all();
  ASSERT_EQ(readers.busy(), 0u);
  all[0].answer = Visit::kOver;
  readers.visit([this](Reader& reader) noexcept {
    if (&reader == &all[0]) readers.add(&all[1]);
    return reader.answer;
  });
  ASSERT_EQ(readers.size(), 1u);
  readers.for_each([this](Reader& reader) { EXPECT_EQ(&reader, &all[1]); });
}

}  // namespace
}  // namespace xs::stream
