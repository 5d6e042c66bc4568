// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/pool.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

namespace {
bool g_memory_is_exhausted = false;
}

// Replaces the library's for the whole test program, and does what that one does unless a test here says otherwise.
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  if (g_memory_is_exhausted) return nullptr;
  try {
    return ::operator new[](size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

namespace xs::util {
namespace {

struct Counted {
  explicit Counted(int& count) noexcept : count_(count) { ++count_; }
  ~Counted() { --count_; }
  int& count_;
};

TEST(Pool, MakesAndDropsObjects) {
  int count = 0;
  Pool<Counted> pool;
  Counted* a = pool.make(count);
  Counted* b = pool.make(count);
  EXPECT_EQ(count, 2);
  EXPECT_EQ(pool.live(), 2u);
  pool.drop(a);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(pool.live(), 1u);
  pool.drop(b);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(pool.live(), 0u);
}

TEST(Pool, GivesEveryLiveObjectItsOwnRoom) {
  Pool<std::string, 4> pool;
  std::vector<std::string*> made;
  for (int i = 0; i < 50; ++i) made.push_back(pool.make(40, static_cast<char>('A' + i)));
  EXPECT_EQ(std::set<std::string*>(made.begin(), made.end()).size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*made[static_cast<std::size_t>(i)], std::string(40, static_cast<char>('A' + i)));
  for (std::string* text : made) pool.drop(text);
}

TEST(Pool, ReusesRoomAndAllocatesNoMore) {
  Pool<std::uint64_t, 4> pool;
  std::set<std::uint64_t*> seen;
  for (int round = 0; round < 100; ++round) {
    std::uint64_t* made[4];
    for (auto& object : made) seen.insert(object = pool.make(1u));
    for (auto* object : made) pool.drop(object);
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST(Pool, TheWarmestRoomGoesFirst) {
  Pool<std::uint64_t> pool;
  std::uint64_t* first = pool.make(1u);
  std::uint64_t* second = pool.make(2u);
  pool.drop(first);
  EXPECT_EQ(pool.make(3u), first);
  pool.drop(first);
  pool.drop(second);
}

TEST(Pool, RespectsAlignment) {
  struct alignas(128) Line {
    char byte;
  };
  Pool<Line, 3> pool;
  std::vector<Line*> made;
  for (int i = 0; i < 10; ++i) made.push_back(pool.make());
  for (Line* line : made) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(line) % 128, 0u);
    pool.drop(line);
  }
}

TEST(Pool, SmallObjectsHaveRoomForTheFreeList) {
  Pool<char, 8> pool;
  char* a = pool.make('a');
  char* b = pool.make('b');
  pool.drop(a);
  EXPECT_EQ(*b, 'b');
  pool.drop(b);
}

TEST(Pool, AnswersNullWithoutMemoryAndRecovers) {
  Pool<std::uint64_t, 2> pool;
  std::uint64_t* first = pool.make(1u);
  std::uint64_t* second = pool.make(2u);
  g_memory_is_exhausted = true;
  EXPECT_EQ(pool.make(3u), nullptr);
  EXPECT_EQ(pool.live(), 2u);
  pool.drop(first);
  EXPECT_EQ(pool.make(4u), first);
  g_memory_is_exhausted = false;
  std::uint64_t* third = pool.make(5u);
  ASSERT_NE(third, nullptr);
  for (std::uint64_t* object : {first, second, third}) pool.drop(object);
}

}  // namespace
}  // namespace xs::util
