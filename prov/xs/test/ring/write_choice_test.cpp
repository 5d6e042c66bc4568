// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "ring/write_choice.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace xs::ring {
namespace {

// A machine on which the two ways take what is set, in picoseconds a byte.
class Machine {
 public:
  std::uint64_t into = 40, past = 60;
  util::Nanoseconds interruption = 0;  // of the next write

  // How many of `count` writes went past the caches.
  unsigned write(unsigned count, std::size_t size) {
    unsigned passed = 0;
    for (unsigned i = 0; i < count; ++i)
      choice_.write(
          size,
          [&](bool past_caches) noexcept {
            passed += past_caches;
            now_ += (past_caches ? past : into) * size / 1000 + std::exchange(interruption, 0);
          },
          [this]() noexcept { return ++looks_, now_; });
    return passed;
  }
  unsigned looks() const { return looks_; }  // at the clock

 private:
  WriteChoice choice_;
  util::Nanoseconds now_ = 1'000'000'000;
  unsigned looks_ = 0;
};

constexpr std::size_t kSize = 65536;
constexpr unsigned kTold = 128;  // writes until both ways are known
constexpr unsigned kMany = 10'000;

TEST(WriteChoice, StaysInTheCachesWhereTheyAreShared) {
  Machine machine;
  machine.write(kTold, kSize);
  EXPECT_LE(machine.write(kMany, kSize), kMany / 200);
}

TEST(WriteChoice, GoesPastTheCachesWhereTheyAreNot) {
  Machine machine;
  machine.into = 400;
  machine.write(kTold, kSize);
  EXPECT_GE(machine.write(kMany, kSize), kMany - kMany / 200);
}

TEST(WriteChoice, FollowsTheProcessors) {
  Machine machine;
  machine.write(kTold, kSize);
  for (int times = 0; times < 3; ++times) {
    machine.into = 400;
    machine.write(kTold, kSize);  // what is used is measured often
    EXPECT_GE(machine.write(kMany, kSize), kMany - kMany / 200) << times;
    machine.into = 40;
    machine.write(16 * kTold, kSize);  // the other way is not
    EXPECT_LE(machine.write(kMany, kSize), kMany / 200) << times;
  }
}

// The reader has to fetch it from memory then.
TEST(WriteChoice, ALittleIsNoReasonToGoPast) {
  Machine machine;
  machine.into = 2 * machine.past;
  machine.write(kTold, kSize);
  EXPECT_LE(machine.write(kMany, kSize), kMany / 200);
}

TEST(WriteChoice, StaysPastWhileThatIsStillWorthIt) {
  Machine machine;
  machine.into = 4 * machine.past;
  machine.write(kTold, kSize);
  machine.into = 5 * machine.past / 2;
  machine.write(16 * kTold, kSize);
  EXPECT_GE(machine.write(kMany, kSize), kMany - kMany / 200);
}

TEST(WriteChoice, AnInterruptionSaysNothing) {
  Machine machine;
  machine.write(kTold, kSize);
  unsigned past = 0;
  for (unsigned i = 0; i < kMany; ++i) {
    if (i % 3 == 0) machine.interruption = 4'000'000;
    past += machine.write(1, kSize);
  }
  EXPECT_LE(past, kMany / 200);
}

TEST(WriteChoice, ShortAndLongOnesAreApart) {
  Machine machine;
  machine.into = 400;
  machine.write(kTold, kSize);
  EXPECT_GT(machine.write(kTold, kSize), kTold / 2);
  machine.into = 40;
  machine.write(kTold, WriteChoice::kLarge);
  EXPECT_LE(machine.write(kMany, WriteChoice::kLarge), kMany / 200);
}

TEST(WriteChoice, LooksAtTheClockForOneOfEight) {
  Machine machine;
  machine.write(800, kSize);
  EXPECT_EQ(machine.looks(), 200u);
}

}  // namespace
}  // namespace xs::ring
