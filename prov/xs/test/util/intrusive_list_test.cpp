// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/intrusive_list.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace xs::util {
namespace {

struct Other;

struct Item : ListHook<>, ListHook<Other> {
  explicit Item(int value) : number(value) {}
  int number;
};

template <class Tag>
std::vector<int> numbers(IntrusiveList<Item, Tag>& list) {
  std::vector<int> seen;
  for (const Item& item : list) seen.push_back(item.number);
  return seen;
}

using Numbers = std::vector<int>;

TEST(IntrusiveList, StartsEmpty) {
  IntrusiveList<Item> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0u);
  EXPECT_EQ(numbers(list), Numbers{});
}

TEST(IntrusiveList, KeepsTheOrderOfArrival) {
  Item one(1), two(2), three(3);
  IntrusiveList<Item> list;
  list.push_back(one);
  list.push_back(two);
  list.push_back(three);
  EXPECT_EQ(numbers(list), (Numbers{1, 2, 3}));
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(&list.front(), &one);
  EXPECT_EQ(&list.pop_front(), &one);
  EXPECT_EQ(numbers(list), (Numbers{2, 3}));
}

TEST(IntrusiveList, RemovesFirstMiddleAndLast) {
  Item one(1), two(2), three(3), four(4);
  IntrusiveList<Item> list;
  for (Item* item : {&one, &two, &three, &four}) list.push_back(*item);
  list.remove(two);
  EXPECT_EQ(numbers(list), (Numbers{1, 3, 4}));
  list.remove(four);
  EXPECT_EQ(numbers(list), (Numbers{1, 3}));
  list.remove(one);
  EXPECT_EQ(numbers(list), (Numbers{3}));
  list.remove(three);
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveList, ARemovedElementMayComeBack) {
  Item one(1), two(2);
  IntrusiveList<Item> list;
  list.push_back(one);
  list.push_back(two);
  list.remove(one);
  list.push_back(one);
  EXPECT_EQ(numbers(list), (Numbers{2, 1}));
}

TEST(IntrusiveList, AnElementKnowsWhetherItIsLinked) {
  Item item(1);
  const ListHook<>& hook = item;
  IntrusiveList<Item> list;
  EXPECT_FALSE(hook.linked());
  list.push_back(item);
  EXPECT_TRUE(hook.linked());
  list.remove(item);
  EXPECT_FALSE(hook.linked());
}

TEST(IntrusiveList, TagsKeepListsApart) {
  Item one(1), two(2);
  IntrusiveList<Item> list;
  IntrusiveList<Item, Other> other;
  list.push_back(one);
  list.push_back(two);
  other.push_back(two);
  other.push_back(one);
  list.remove(one);
  EXPECT_EQ(numbers(list), (Numbers{2}));
  EXPECT_EQ(numbers(other), (Numbers{2, 1}));
}

TEST(IntrusiveList, AVisitorMayDestroyWhatItIsGiven) {
  std::vector<std::unique_ptr<Item>> items;
  IntrusiveList<Item> list;
  for (int i = 0; i < 6; ++i) {
    items.push_back(std::make_unique<Item>(i));
    list.push_back(*items.back());
  }
  Numbers visited;
  list.for_each([&](Item& item) {
    visited.push_back(item.number);
    if (item.number % 2 == 0 || item.number == 5) {
      list.remove(item);
      items[static_cast<std::size_t>(item.number)].reset();
    }
  });
  EXPECT_EQ(visited, (Numbers{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(numbers(list), (Numbers{1, 3}));
}

TEST(IntrusiveList, AgreesWithADeque) {
  constexpr unsigned kSeed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  std::deque<Item> items;
  for (int i = 0; i < 20; ++i) items.emplace_back(i);
  IntrusiveList<Item> list;
  std::deque<int> expected;
  for (int step = 0; step < 5000; ++step) {
    Item& item = items[random() % items.size()];
    if (static_cast<ListHook<>&>(item).linked()) {
      list.remove(item);
      std::erase(expected, item.number);
    } else {
      list.push_back(item);
      expected.push_back(item.number);
    }
    ASSERT_EQ(list.size(), expected.size());
    ASSERT_EQ(numbers(list), Numbers(expected.begin(), expected.end()));
  }
}

}  // namespace
}  // namespace xs::util
