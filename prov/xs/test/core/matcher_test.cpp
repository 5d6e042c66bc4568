// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The matcher, case by case. matcher_random_test.cpp compares it with a plain list, and
// matcher_work_test.cpp counts what it does.
#include "core/matcher.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <utility>
#include <vector>

namespace xs::core {
namespace {

constexpr SourceId kAlice = 1;
constexpr SourceId kBob = 2;
constexpr std::uint64_t kNone = 0;
constexpr std::uint64_t kFar = std::uint64_t{1} << 63;  // in the tags of mere bystanders
constexpr std::uint64_t kAnyTag = ~kFar;

class MatcherTest : public testing::Test {
 protected:
  PostedReceive& receive(SourceId source, std::uint64_t tag, std::uint64_t ignore = kNone) {
    PostedReceive& made = receives_.emplace_back();
    made.selector = {source, tag, ignore};
    return made;
  }
  PostedReceive& posted(SourceId source, std::uint64_t tag, std::uint64_t ignore = kNone) {
    PostedReceive& made = receive(source, tag, ignore);
    EXPECT_EQ(matcher_.post(made), nullptr);
    return made;
  }
  UnexpectedMessage& arrived(SourceId source, std::uint64_t tag) {
    UnexpectedMessage& made = messages_.emplace_back();
    made.envelope = {source, tag};
    EXPECT_EQ(matcher_.arrive(made.envelope), nullptr);
    matcher_.add_unexpected(made);
    return made;
  }
  /// Enough queued elements that match nothing used here to have both queues hashed.
  void lengthen_queues() {
    for (std::uint64_t i = 0; i < 40; ++i) {
      posted(kAlice, kFar + i);
      arrived(kBob, kFar + 1000 + i);
    }
  }

  std::deque<PostedReceive> receives_;
  std::deque<UnexpectedMessage> messages_;
  Matcher matcher_;
};

/// Every case holds for short queues and for long ones.
class MatcherAtLength : public MatcherTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) lengthen_queues();
  }
};

INSTANTIATE_TEST_SUITE_P(Queues, MatcherAtLength, testing::Bool(),
                         [](const auto& which) { return which.param ? "Long" : "Short"; });

TEST_F(MatcherTest, AnEmptyMatcherFindsNothing) {
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), nullptr);
  EXPECT_EQ(matcher_.peek(Selector{kAnySource, 0, kAnyTag}), nullptr);
  EXPECT_EQ(matcher_.find_posted(nullptr), nullptr);
  EXPECT_EQ(matcher_.posted_count(), 0u);
  EXPECT_EQ(matcher_.unexpected_count(), 0u);
}

TEST_P(MatcherAtLength, AMessageTakesItsReceiveOnce) {
  const std::size_t before = matcher_.posted_count();
  PostedReceive& wanted = posted(kAlice, 1);
  EXPECT_TRUE(wanted.queued());
  EXPECT_EQ(matcher_.posted_count(), before + 1);
  EXPECT_EQ(matcher_.arrive({kBob, 1}), nullptr);
  EXPECT_EQ(matcher_.arrive({kAlice, 2}), nullptr);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &wanted);
  EXPECT_FALSE(wanted.queued());
  EXPECT_EQ(matcher_.posted_count(), before);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), nullptr);
}

TEST_P(MatcherAtLength, AReceiveTakesItsMessageAndIsNotQueued) {
  const std::size_t before = matcher_.unexpected_count();
  UnexpectedMessage& waiting = arrived(kAlice, 1);
  EXPECT_EQ(matcher_.unexpected_count(), before + 1);
  posted(kBob, 1);
  PostedReceive& wanted = receive(kAlice, 1);
  EXPECT_EQ(matcher_.post(wanted), &waiting);
  EXPECT_FALSE(wanted.queued());
  EXPECT_FALSE(waiting.queued());
  EXPECT_EQ(matcher_.unexpected_count(), before);
  posted(kAlice, 1);
}

TEST_P(MatcherAtLength, EqualReceivesGoInPostOrder) {
  PostedReceive& first = posted(kAlice, 1);
  PostedReceive& second = posted(kAlice, 1);
  PostedReceive& third = posted(kAlice, 1);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &first);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &second);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &third);
}

TEST_P(MatcherAtLength, EqualMessagesGoInArrivalOrder) {
  UnexpectedMessage& first = arrived(kAlice, 1);
  UnexpectedMessage& second = arrived(kAlice, 1);
  EXPECT_EQ(matcher_.post(receive(kAlice, 1)), &first);
  EXPECT_EQ(matcher_.post(receive(kAlice, 1)), &second);
}

TEST_P(MatcherAtLength, TheEarliestReceiveWinsWhateverItsWildcards) {
  PostedReceive& any_source = posted(kAnySource, 1);
  PostedReceive& exact = posted(kAlice, 1);
  PostedReceive& any_tag = posted(kAlice, 0, kAnyTag);
  PostedReceive& low_bits = posted(kAlice, 2, 3);
  PostedReceive& anything = posted(kAnySource, 0, kAnyTag);
  PostedReceive& exact_again = posted(kAlice, 1);
  for (PostedReceive* next : {&any_source, &exact, &any_tag, &low_bits, &anything, &exact_again})
    EXPECT_EQ(matcher_.arrive({kAlice, 1}), next);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), nullptr);
}

TEST_P(MatcherAtLength, AWildcardTakesTheEarliestMessageThatMatches) {
  arrived(kBob, 0x13);
  UnexpectedMessage& second = arrived(kAlice, 0x21);
  UnexpectedMessage& third = arrived(kBob, 0x22);
  EXPECT_EQ(matcher_.post(receive(kAnySource, 0x20, 0xf)), &second);
  EXPECT_EQ(matcher_.post(receive(kAnySource, 0x20, 0xf)), &third);
  posted(kAnySource, 0x20, 0xf);
}

TEST_P(MatcherAtLength, TagBitsUnderTheMaskDoNotMatter) {
  PostedReceive& wanted = posted(kAlice, 0xff01, 0xff00);
  EXPECT_EQ(matcher_.arrive({kAlice, 0x1202}), nullptr);
  EXPECT_EQ(matcher_.arrive({kAlice, 0x1201}), &wanted);
}

TEST_P(MatcherAtLength, PeekLeavesWhatItFinds) {
  UnexpectedMessage& message = arrived(kAlice, 1);
  EXPECT_EQ(matcher_.peek(Selector{kAlice, 1, kNone}), &message);
  EXPECT_EQ(matcher_.peek(Selector{kAnySource, 0, 1}), &message);
  EXPECT_EQ(matcher_.peek(Selector{kBob, 1, kNone}), nullptr);
  EXPECT_EQ(matcher_.post(receive(kAlice, 1)), &message);

  PostedReceive& wanted = posted(kAnySource, 3);
  EXPECT_EQ(matcher_.peek(Envelope{kAlice, 3}), &wanted);
  EXPECT_EQ(matcher_.peek(Envelope{kAlice, 4}), nullptr);
  EXPECT_EQ(matcher_.arrive({kBob, 3}), &wanted);
}

TEST_P(MatcherAtLength, WhatWasRemovedIsNotFound) {
  PostedReceive& first = posted(kAlice, 1);
  PostedReceive& second = posted(kAlice, 1);
  PostedReceive& third = posted(kAlice, 1);
  matcher_.remove(second);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &first);
  matcher_.remove(third);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), nullptr);

  UnexpectedMessage& early = arrived(kBob, 1);
  UnexpectedMessage& late = arrived(kBob, 1);
  matcher_.remove(early);
  EXPECT_EQ(matcher_.post(receive(kBob, 1)), &late);
}

TEST_P(MatcherAtLength, ARemovedReceiveMayBePostedAgainAtTheEnd) {
  PostedReceive& first = posted(kAlice, 1);
  PostedReceive& second = posted(kAnySource, 1);
  matcher_.remove(first);
  EXPECT_EQ(matcher_.post(first), nullptr);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &second);
  EXPECT_EQ(matcher_.arrive({kAlice, 1}), &first);
}

TEST_P(MatcherAtLength, FindsTheEarliestReceiveOfAContext) {
  int one = 0;
  int two = 0;
  posted(kAlice, 1).context = &one;
  PostedReceive& wanted = posted(kAlice, 2);
  wanted.context = &two;
  posted(kAlice, 3).context = &two;
  EXPECT_EQ(matcher_.find_posted(&two), &wanted);
}

TEST_P(MatcherAtLength, MoreWildcardsThanClassesStillGoInOrder) {
  std::vector<PostedReceive*> in_order;
  for (std::uint64_t bits = 0; bits < 12; ++bits) {
    in_order.push_back(&posted(kAnySource, 0, kAnyTag >> bits));
    in_order.push_back(&posted(kAlice, 0, kAnyTag >> bits));
  }
  std::vector<PostedReceive*> taken;
  while (PostedReceive* next = matcher_.arrive({kAlice, 0})) taken.push_back(next);
  EXPECT_EQ(taken, in_order);
}

using Pair = std::pair<PostedReceive*, UnexpectedMessage*>;

std::vector<Pair> rename(Matcher& matcher, SourceId from, SourceId to) {
  std::vector<Pair> pairs;
  matcher.rename_source(from, to, [&](PostedReceive& receive, UnexpectedMessage& message) {
    pairs.emplace_back(&receive, &message);
  });
  return pairs;
}

TEST_P(MatcherAtLength, ARenamedSourceKeepsTheOrder) {
  constexpr SourceId kAlias = 7;
  PostedReceive& first = posted(kAlias, 1);
  PostedReceive& second = posted(kAlice, 1);
  PostedReceive& third = posted(kAlias, 1);
  UnexpectedMessage& early = arrived(kAlias, 2);
  UnexpectedMessage& late = arrived(kAlice, 2);
  EXPECT_TRUE(rename(matcher_, kAlias, kAlice).empty());
  for (PostedReceive* next : {&first, &second, &third})
    EXPECT_EQ(matcher_.arrive({kAlice, 1}), next);
  EXPECT_EQ(matcher_.post(receive(kAlice, 2)), &early);
  EXPECT_EQ(matcher_.post(receive(kAlice, 2)), &late);
}

TEST_P(MatcherAtLength, RenamingPairsWhatTheTwoNamesHeldApart) {
  constexpr SourceId kAlias = 7;
  PostedReceive& even_or_odd = posted(kAlice, 0, 1);
  PostedReceive& odd = posted(kAlice, 1);
  PostedReceive& even = posted(kAlice, 0);
  UnexpectedMessage& first = arrived(kAlias, 1);
  UnexpectedMessage& second = arrived(kAlias, 1);
  UnexpectedMessage& third = arrived(kAlias, 1);
  EXPECT_EQ(rename(matcher_, kAlias, kAlice),
            (std::vector<Pair>{{&even_or_odd, &first}, {&odd, &second}}));
  EXPECT_TRUE(third.queued());
  EXPECT_EQ(matcher_.arrive({kAlice, 0}), &even);
}

TEST_P(MatcherAtLength, VisitorsSeeTheOrderAndMayRemove) {
  const std::size_t others = matcher_.posted_count();
  posted(kAlice, 1);
  posted(kBob, 1);
  posted(kAlice, 2);
  std::vector<std::uint64_t> tags;
  matcher_.for_each_posted([&](PostedReceive& receive) {
    if (receive.selector.tag >= kFar) return;
    tags.push_back(receive.selector.tag);
    if (receive.selector.source == kAlice) matcher_.remove(receive);
  });
  EXPECT_EQ(tags, (std::vector<std::uint64_t>{1, 1, 2}));
  EXPECT_EQ(matcher_.posted_count(), others + 1);

  arrived(kAlice, 5);
  arrived(kAlice, 6);
  matcher_.for_each_unexpected([&](UnexpectedMessage& message) { matcher_.remove(message); });
  EXPECT_EQ(matcher_.unexpected_count(), 0u);
  EXPECT_EQ(matcher_.peek(Selector{kAnySource, 0, kAnyTag}), nullptr);
}

}  // namespace
}  // namespace xs::core
