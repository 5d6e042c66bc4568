// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/read_choice.hpp"

#include <gtest/gtest.h>

namespace xs::core {
namespace {

constexpr std::size_t kShort = 32768, kLong = 1 << 20;
constexpr unsigned kMany = 10'000;

// A receiver, and what its sender does with the advice.
class Pair {
 public:
  // Nanoseconds a KiB.
  util::Nanoseconds copies = 50, reads = 100, streams = 70;

  unsigned send_short(unsigned count) {
    return send(count, short_way_, [this](bool by_ring) {
      if (!by_ring) return paces_.read_short(kShort, reads * kShort / 1024);
      if (paces_.copy_is_due()) paces_.copied(kShort, copies * kShort / 1024);
    });
  }
  unsigned send_long(unsigned count) {
    return send(count, long_way_, [this](bool by_ring) {
      if (!by_ring) {
        now_ += reads * kLong / 1024;
        return paces_.read_long(kLong, reads * kLong / 1024);
      }
      const util::Nanoseconds asked = now_;
      now_ += streams * kLong / 1024;
      paces_.streamed(kLong, asked, now_);
    });
  }
  ReadAdvice advice() const { return paces_.advice(); }

 private:
  // How many went through the ring.
  template <class Move>
  unsigned send(unsigned count, ReadChoice& way, Move move) {
    unsigned by_ring = 0;
    for (unsigned i = 0; i < count; ++i) {
      const bool ring = way.by_ring();
      by_ring += ring;
      if (!ring) way.announced();
      move(ring);
      const ReadAdvice advice = paces_.advice();  // in FIN, or in that of another message
      short_way_.hear(advice.copy_short);
      long_way_.hear(advice.stream_long);
    }
    return by_ring;
  }

  ReadPaces paces_;
  ReadChoice short_way_, long_way_;
  util::Nanoseconds now_ = 1'000'000'000;
};

TEST(ReadChoice, LongOnesTakeTheQuickerWay) {
  Pair pair;
  pair.send_long(100);
  EXPECT_GE(pair.send_long(kMany), kMany - kMany / 100);
  Pair other;
  other.streams = 150;
  other.send_long(100);
  EXPECT_LE(other.send_long(kMany), kMany / 100);
}

// A sender that computes meanwhile.
TEST(ReadChoice, WhoIsNotThereIsRead) {
  Pair pair;
  pair.streams = 10'000;
  pair.send_long(100);
  EXPECT_LE(pair.send_long(kMany), kMany / 100);
}

TEST(ReadChoice, ShortOnesAreCopiedTwice) {
  Pair pair;
  pair.copies = 40;
  pair.send_short(500);
  EXPECT_GE(pair.send_short(kMany), kMany - kMany / 100);
  Pair other;
  other.copies = 60;
  other.send_short(500);
  EXPECT_LE(other.send_short(kMany), kMany / 100);
}

TEST(ReadChoice, FollowsTheMachine) {
  Pair pair;
  pair.send_long(100);
  for (int times = 0; times < 3; ++times) {
    pair.streams = 150;
    pair.send_long(20);  // the way that is taken is measured each time
    EXPECT_LE(pair.send_long(kMany), kMany / 50) << times;
    pair.streams = 70;
    pair.send_long(4 * 512);  // the other way rarely, in the end
    EXPECT_GE(pair.send_long(kMany), kMany - kMany / 50) << times;
  }
}

// What was advised for long is tried otherwise rarely; what is new advice is not.
TEST(ReadChoice, NewAdviceIsTriedSoon) {
  Pair pair;
  pair.send_long(kMany);
  pair.streams = 150;
  pair.send_long(20);
  EXPECT_FALSE(pair.advice().stream_long);
  pair.streams = 70;
  pair.send_long(150);
  EXPECT_TRUE(pair.advice().stream_long);
}

// All of a window asked for at once: each waits for those before it, which is not its fault.
TEST(ReadPaces, WhatWaitsForOthersIsNotSlow) {
  ReadPaces paces;
  for (int i = 0; i < 5; ++i) paces.read_long(kLong, 100 * kLong / 1024);
  const util::Nanoseconds asked = 5'000'000, each = 70 * kLong / 1024;
  for (unsigned i = 1; i <= 16; ++i) paces.streamed(kLong, asked, asked + i * each);
  EXPECT_TRUE(paces.advice().stream_long);
}

TEST(ReadPaces, SayNothingBeforeBothAreKnown) {
  ReadPaces paces;
  for (int i = 0; i < 5; ++i) paces.streamed(kLong, 1000, 2000);
  for (int i = 0; i < 5; ++i) paces.copied(kShort, 1);
  EXPECT_FALSE(paces.advice().stream_long);
  EXPECT_FALSE(paces.advice().copy_short);
  ReadPaces others;
  for (int i = 0; i < 5; ++i) others.read_long(kLong, 1'000'000);
  for (int i = 0; i < 5; ++i) others.read_short(kShort, 1'000'000);
  EXPECT_FALSE(others.advice().stream_long);
  EXPECT_FALSE(others.advice().copy_short);
}

}  // namespace
}  // namespace xs::core
