// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/counter.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace xs::core {
namespace {

TEST(CounterTest, counts_what_went_well_and_what_failed_apart) {
  Counter counter;
  counter.ended(0);
  counter.ended(EIO);
  counter.ended(0);
  EXPECT_EQ(counter.value(), 2u);
  EXPECT_EQ(counter.errors(), 1u);
}

TEST(CounterTest, the_application_adds_and_sets) {
  Counter counter;
  counter.add(5);
  counter.add(~0ull);
  EXPECT_EQ(counter.value(), 4u) << "modulo 2^64";
  counter.add_errors(3);
  EXPECT_EQ(counter.errors(), 3u);
  counter.set(7);
  counter.set_errors(9);
  EXPECT_EQ(counter.value(), 7u);
  EXPECT_EQ(counter.errors(), 9u);
}

TEST(CountersTest, each_kind_has_its_own_counter_or_none) {
  Counter sends, both;
  Counters counters;
  counters.set(Counted::kSend, sends);
  counters.set(Counted::kRead, both);
  counters.set(Counted::kRemoteWrite, both);
  for (const Counted what : {Counted::kSend, Counted::kReceive, Counted::kRead, Counted::kWrite,
                             Counted::kRemoteRead, Counted::kRemoteWrite})
    counters.ended(what, 0);
  counters.ended(Counted::kReceive, EIO);
  EXPECT_EQ(sends.value(), 1u);
  EXPECT_EQ(both.value(), 2u);
  EXPECT_EQ(both.errors(), 0u);
}

}  // namespace
}  // namespace xs::core
