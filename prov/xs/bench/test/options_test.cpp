// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/options.hpp"

#include <gtest/gtest.h>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

using Suites = std::vector<const Suite*>;

Suites suites_of(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  return options ? options->suites : Suites{};
}

TEST(Options, AllOperationsAreMeasuredUnlessSome) {
  EXPECT_EQ(suites_of({}), (Suites{&kMessages, &kRma, &kAtomics}));
  EXPECT_EQ(suites_of({"--operations", "atomics,messages"}), (Suites{&kAtomics, &kMessages}));
}

TEST(Options, UnknownOperationsAreRefused) {
  EXPECT_THROW(parse_options({"--operations", "rma,messages and more"}), Failure);
  EXPECT_THROW(parse_options({"--operations", ""}), Failure);
  EXPECT_THROW(parse_options({"--operations"}), Failure);
}

}  // namespace
}  // namespace xs::bench
