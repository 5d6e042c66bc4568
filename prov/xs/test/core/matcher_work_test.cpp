// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The matcher's work stays near linear, counted in comparisons: a clock would say something else on
// every machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <utility>
#include <vector>

#include "core/matcher.hpp"

namespace xs::core {
namespace {

constexpr std::uint64_t kProtocolBits = std::uint64_t{3} << 60;  // as Open MPI's MTL ignores them
constexpr std::uint64_t kTagBits = 0xffff'ffff;
constexpr std::size_t kCount = 20000;

/// Per message, over its post, arrival and removal: what a queue of any length may cost.
constexpr double kPerMessage = 8;

class MatcherWork : public testing::Test {
 protected:
  void post(const Selector& selector, bool finds = false) {
    PostedReceive& made = receives_.emplace_back();
    made.selector = selector;
    ASSERT_EQ(matcher_.post(made) != nullptr, finds);
  }
  void arrive(const Envelope& envelope, bool finds = false) {
    ASSERT_EQ(matcher_.arrive(envelope) != nullptr, finds);
    if (finds) return;
    UnexpectedMessage& made = messages_.emplace_back();
    made.envelope = envelope;
    matcher_.add_unexpected(made);
  }

  /// Posts one receive per selector and then lets the envelopes arrive, last one first; and the
  /// same with messages first. `selectors[i]` is to match `envelopes[i]`.
  void expect_linear(const std::vector<Selector>& selectors,
                     const std::vector<Envelope>& envelopes) {
    for (const Selector& selector : selectors) post(selector);
    for (std::size_t i = envelopes.size(); i-- > 0;) arrive(envelopes[i], true);
    EXPECT_LE(work_per_message(), kPerMessage) << "receives first";
    for (const Envelope& envelope : envelopes) arrive(envelope);
    for (std::size_t i = selectors.size(); i-- > 0;) post(selectors[i], true);
    EXPECT_LE(work_per_message(), kPerMessage) << "messages first";
    EXPECT_EQ(matcher_.posted_count() + matcher_.unexpected_count(), 0u);
  }

  double work_per_message() {
    const std::uint64_t before = std::exchange(counted_, matcher_.examined());
    return static_cast<double>(counted_ - before) / kCount;
  }

  std::deque<PostedReceive> receives_;
  std::deque<UnexpectedMessage> messages_;
  std::uint64_t counted_ = 0;
  Matcher matcher_;
};

TEST_F(MatcherWork, ManyTagsOfOneSource) {
  std::vector<Selector> selectors;
  std::vector<Envelope> envelopes;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    selectors.push_back({1, i, kProtocolBits});
    envelopes.push_back({1, i | (i % 4) << 60});
  }
  expect_linear(selectors, envelopes);
}

TEST_F(MatcherWork, ManyTagsOfAnySource) {
  std::vector<Selector> selectors;
  std::vector<Envelope> envelopes;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    selectors.push_back({kAnySource, i << 32, kProtocolBits});
    envelopes.push_back({i % 7, i << 32});
  }
  expect_linear(selectors, envelopes);
}

TEST_F(MatcherWork, OneTagOfManySources) {
  std::vector<Selector> selectors;
  std::vector<Envelope> envelopes;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    selectors.push_back({i, 5, kProtocolBits});
    envelopes.push_back({i, 5});
  }
  expect_linear(selectors, envelopes);
}

TEST_F(MatcherWork, AnyTagOfManySources) {
  std::vector<Selector> selectors;
  std::vector<Envelope> envelopes;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    selectors.push_back({i, 0, kProtocolBits | kTagBits});
    envelopes.push_back({i, i});
  }
  expect_linear(selectors, envelopes);
}

TEST_F(MatcherWork, OneKeyForAll) {
  const std::vector<Selector> selectors(kCount, Selector{1, 5, kProtocolBits});
  const std::vector<Envelope> envelopes(kCount, Envelope{1, 5});
  expect_linear(selectors, envelopes);
}

TEST_F(MatcherWork, TheClassesOfOpenMpiTogether) {
  std::vector<Selector> selectors;
  std::vector<Envelope> envelopes;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const SourceId peer = i;
    const std::uint64_t tag = i << 33;
    switch (i % 5) {
      case 0:
        selectors.push_back({peer, tag, kProtocolBits});
        break;
      case 1:
        selectors.push_back({kAnySource, tag, kProtocolBits});
        break;
      case 2:
        selectors.push_back({peer, tag, kProtocolBits | kTagBits});
        break;
      case 3:
        selectors.push_back({kAnySource, tag, kProtocolBits | kTagBits});
        break;
      default:
        selectors.push_back({peer, tag, 0});
        break;
    }
    envelopes.push_back({peer, tag});
  }
  // A message is looked for in each of the five classes, and leaves each of them.
  for (const Selector& selector : selectors) post(selector);
  for (std::size_t i = kCount; i-- > 0;) arrive(envelopes[i], true);
  EXPECT_LE(work_per_message(), 5 * kPerMessage);
  for (const Envelope& envelope : envelopes) arrive(envelope);
  for (std::size_t i = kCount; i-- > 0;) post(selectors[i], true);
  EXPECT_LE(work_per_message(), 5 * kPerMessage);
}

TEST_F(MatcherWork, AFloodOfOneKeyIsNotInTheWayOfOthers) {
  for (std::size_t i = 0; i < kCount; ++i) arrive({1, 5});
  work_per_message();
  for (std::uint64_t i = 0; i < kCount; ++i)
    EXPECT_EQ(matcher_.peek(Selector{1, 100 + i, kProtocolBits}), nullptr);
  EXPECT_LE(work_per_message(), kPerMessage);
}

TEST_F(MatcherWork, RemovalsInAnyOrder) {
  for (std::uint64_t i = 0; i < kCount; ++i) {
    post({i, i / 2, kProtocolBits});
    arrive({1, kCount + i / 2});
  }
  std::mt19937 random(11);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < kCount; ++i) order.push_back(i);
  std::shuffle(order.begin(), order.end(), random);
  for (const std::size_t i : order) {
    matcher_.remove(receives_[i]);
    matcher_.remove(messages_[i]);
  }
  EXPECT_LE(work_per_message(), 2 * kPerMessage);
}

TEST_F(MatcherWork, ReceivesBeyondTheClassesDoNotSlowTheOthers) {
  for (std::uint64_t bits = 0; bits < 2 * kHashedClasses; ++bits)
    post({1, std::uint64_t{1} << 62, std::uint64_t{1} << bits});
  work_per_message();
  for (std::uint64_t i = 0; i < kCount; ++i) post({1, i << 20, 1});
  for (std::uint64_t i = kCount; i-- > 0;) arrive({1, i << 20}, true);
  EXPECT_LE(work_per_message(), 2 * kHashedClasses + kPerMessage);
}

TEST_F(MatcherWork, ClassesOfAnEarlierPhaseAreForgotten) {
  for (std::uint64_t i = 0; i < 100; ++i)
    post({1, i << 32, std::uint64_t{1} << i % (2 * kHashedClasses)});
  matcher_.for_each_posted([&](PostedReceive& receive) { matcher_.remove(receive); });
  work_per_message();
  for (std::uint64_t i = 0; i < kCount; ++i) post({1, i, kProtocolBits});
  for (std::uint64_t i = kCount; i-- > 0;) arrive({1, i}, true);
  EXPECT_LE(work_per_message(), kPerMessage);
}

TEST_F(MatcherWork, InOrderTheHeadIsTheAnswer) {
  for (std::size_t i = 0; i < kCount; ++i) post({1, 5, kProtocolBits});
  for (std::size_t i = 0; i < kCount; ++i) arrive({1, 5}, true);
  // One key compared to queue the receive, one receive to match it, one key to unlink it.
  EXPECT_LE(work_per_message(), 3);
}

TEST_F(MatcherWork, APingPongComparesOnce) {
  for (std::size_t i = 0; i < kCount; ++i) {
    post({1, 5, kProtocolBits});
    arrive({1, 5}, true);
  }
  EXPECT_EQ(work_per_message(), 1);
}

}  // namespace
}  // namespace xs::core
