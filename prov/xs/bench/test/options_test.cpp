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

TEST(Options, ThereAreNoIdlePeersUnlessAsked) {
  EXPECT_EQ(parse_options({})->idle, 0U);
  EXPECT_EQ(parse_options({"--idle", "63"})->idle, 63U);
}

TEST(Options, IdlePeersAreCounted) {
  for (const char* wrong : {"0", "-1", "0.5", "1.5", "4097", "63 peers", ""})
    EXPECT_THROW(parse_options({"--idle", wrong}), Failure) << wrong;
  EXPECT_THROW(parse_options({"--idle"}), Failure);
}

}  // namespace
}  // namespace xs::bench
