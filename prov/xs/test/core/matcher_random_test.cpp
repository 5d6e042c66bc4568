// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Random calls on the matcher and on two plain lists, which must agree about every answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <utility>
#include <vector>

#include "core/matcher.hpp"

namespace xs::core {
namespace {

/// What the matcher should do, in the plainest way.
class ListMatcher {
 public:
  static bool fits(const PostedReceive& receive, const UnexpectedMessage& message) {
    const std::uint64_t kept = ~receive.selector.ignore;
    return (receive.selector.tag & kept) == (message.envelope.tag & kept) &&
           (receive.selector.source == kAnySource ||
            receive.selector.source == message.envelope.source);
  }
  UnexpectedMessage* earliest_for(const PostedReceive& receive) const {
    const auto found = std::find_if(unexpected.begin(), unexpected.end(),
                                    [&](auto* message) { return fits(receive, *message); });
    return found == unexpected.end() ? nullptr : *found;
  }
  PostedReceive* earliest_for(const UnexpectedMessage& message) const {
    const auto found = std::find_if(posted.begin(), posted.end(),
                                    [&](auto* receive) { return fits(*receive, message); });
    return found == posted.end() ? nullptr : *found;
  }

  std::vector<PostedReceive*> posted;
  std::vector<UnexpectedMessage*> unexpected;
};

/// How varied a run's labels are. Few of them make collisions usual.
struct Variety {
  std::uint64_t tags, sources, masks;
};

class RandomRun {
 public:
  explicit RandomRun(unsigned seed) : random_(seed) {
    const bool many_keys = below(4) == 0;
    variety_ = {many_keys ? 200 : 1 + below(12), 1 + below(4), 1 + below(8)};
    for (std::uint64_t i = 0; i < variety_.masks; ++i)
      masks_.push_back(below(3) == 0 ? 0 : below(16) << (4 * below(2)));
  }

  void go(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
      if (step % 64 == 0) posts_in_16_ = 1 + below(15);
      one_call();
      ASSERT_EQ(matcher_.posted_count(), model_.posted.size());
      ASSERT_EQ(matcher_.unexpected_count(), model_.unexpected.size());
    }
    compare_whole_queues();
    drain();
  }

  std::size_t longest_posted = 0;
  std::size_t longest_unexpected = 0;

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  SourceId any_peer() { return 1 + below(variety_.sources); }
  std::uint64_t any_tag() { return below(variety_.tags); }

  void one_call() {
    switch (below(24)) {
      case 0:
        return peek();
      case 1:
        return remove_posted();
      case 2:
        return remove_unexpected();
      case 3:
        return cancel();
      case 4:
        return below(8) == 0 ? rename() : peek();
      default:
        return below(16) < posts_in_16_ ? post() : arrive();
    }
  }

  PostedReceive& new_receive() {
    PostedReceive& made = receives_.emplace_back();
    const SourceId source = below(3) == 0 ? kAnySource : any_peer();
    made.selector = {source, any_tag(), masks_[below(masks_.size())]};
    made.context = &receives_[below(receives_.size())];
    return made;
  }

  void post() {
    PostedReceive& receive = new_receive();
    UnexpectedMessage* const expected = model_.earliest_for(receive);
    ASSERT_EQ(matcher_.post(receive), expected);
    ASSERT_EQ(receive.queued(), expected == nullptr);
    if (expected == nullptr)
      model_.posted.push_back(&receive);
    else
      std::erase(model_.unexpected, expected);
    longest_posted = std::max(longest_posted, model_.posted.size());
  }

  void arrive() {
    UnexpectedMessage& message = messages_.emplace_back();
    message.envelope = {any_peer(), any_tag()};
    PostedReceive* const expected = model_.earliest_for(message);
    ASSERT_EQ(matcher_.peek(message.envelope), expected);
    ASSERT_EQ(matcher_.arrive(message.envelope), expected);
    if (expected != nullptr) {
      std::erase(model_.posted, expected);
      return;
    }
    matcher_.add_unexpected(message);
    model_.unexpected.push_back(&message);
    longest_unexpected = std::max(longest_unexpected, model_.unexpected.size());
  }

  void peek() {
    const PostedReceive& wanted = new_receive();
    ASSERT_EQ(matcher_.peek(wanted.selector), model_.earliest_for(wanted));
  }

  void remove_posted() {
    if (model_.posted.empty()) return;
    PostedReceive* const gone = model_.posted[below(model_.posted.size())];
    matcher_.remove(*gone);
    ASSERT_FALSE(gone->queued());
    std::erase(model_.posted, gone);
  }

  void remove_unexpected() {
    if (model_.unexpected.empty()) return;
    UnexpectedMessage* const gone = model_.unexpected[below(model_.unexpected.size())];
    matcher_.remove(*gone);
    ASSERT_FALSE(gone->queued());
    std::erase(model_.unexpected, gone);
  }

  void cancel() {
    if (model_.posted.empty()) return;
    const void* const context = model_.posted[below(model_.posted.size())]->context;
    const auto expected = std::find_if(model_.posted.begin(), model_.posted.end(),
                                       [&](auto* receive) { return receive->context == context; });
    PostedReceive* const found = matcher_.find_posted(context);
    ASSERT_EQ(found, *expected);
    matcher_.remove(*found);
    model_.posted.erase(expected);
  }

  void rename() {
    const SourceId from = any_peer();
    const SourceId to = any_peer();
    std::vector<std::pair<PostedReceive*, UnexpectedMessage*>> pairs;
    matcher_.rename_source(from, to, [&](PostedReceive& receive, UnexpectedMessage& message) {
      pairs.emplace_back(&receive, &message);
    });
    for (auto* receive : model_.posted) ASSERT_TRUE(from == to || receive->selector.source != from);
    for (auto* message : model_.unexpected)
      ASSERT_TRUE(from == to || message->envelope.source != from);
    decltype(pairs) expected;
    for (auto* receive : std::vector(model_.posted)) {
      if (UnexpectedMessage* const message = model_.earliest_for(*receive)) {
        expected.emplace_back(receive, message);
        std::erase(model_.posted, receive);
        std::erase(model_.unexpected, message);
      }
    }
    ASSERT_EQ(pairs, expected);
  }

  void compare_whole_queues() {
    std::vector<PostedReceive*> posted;
    matcher_.for_each_posted([&](PostedReceive& receive) { posted.push_back(&receive); });
    ASSERT_EQ(posted, model_.posted);
    std::vector<UnexpectedMessage*> unexpected;
    matcher_.for_each_unexpected(
        [&](UnexpectedMessage& message) { unexpected.push_back(&message); });
    ASSERT_EQ(unexpected, model_.unexpected);
  }

  void drain() {
    matcher_.for_each_posted([&](PostedReceive& receive) { matcher_.remove(receive); });
    matcher_.for_each_unexpected([&](UnexpectedMessage& message) { matcher_.remove(message); });
    ASSERT_EQ(matcher_.posted_count(), 0u);
    ASSERT_EQ(matcher_.unexpected_count(), 0u);
  }

  std::mt19937 random_;
  Variety variety_{};
  std::vector<std::uint64_t> masks_;
  std::uint64_t posts_in_16_ = 8;
  std::deque<PostedReceive> receives_;
  std::deque<UnexpectedMessage> messages_;
  ListMatcher model_;
  Matcher matcher_;
};

TEST(MatcherRandom, AgreesWithPlainLists) {
  constexpr unsigned kSeeds = 400;
  constexpr int kSteps = 1500;
  std::size_t longest_posted = 0;
  std::size_t longest_unexpected = 0;
  for (unsigned seed = 1; seed <= kSeeds && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRun run(seed);
    run.go(kSteps);
    longest_posted = std::max(longest_posted, run.longest_posted);
    longest_unexpected = std::max(longest_unexpected, run.longest_unexpected);
  }
  // Long enough for several rounds of growth.
  EXPECT_GT(longest_posted, 100u);
  EXPECT_GT(longest_unexpected, 100u);
}

}  // namespace
}  // namespace xs::core
