// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace xs::util {
namespace {

Result<std::string> halved(const std::string& text) {
  if (text.size() % 2 != 0) return Error{EINVAL, "odd"};
  return text.substr(0, text.size() / 2);
}

TEST(Result, HoldsAValue) {
  auto result = halved("abcd");
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, "ab");
  EXPECT_EQ(result->size(), 2u);
  *result += "!";
  EXPECT_EQ(*result, "ab!");
}

TEST(Result, HoldsAnError) {
  const auto result = halved("abc");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, EINVAL);
  EXPECT_STREQ(result.error().what, "odd");
}

TEST(Result, HandsAMoveOnlyValueOn) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  ASSERT_TRUE(result);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

}  // namespace
}  // namespace xs::util
