// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The ring against a queue: every sequence of calls on small rings, random ones on all sizes.
#include <deque>
#include <random>

#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

// What a ring must do, said with a queue.
class Checked {
 public:
  explicit Checked(std::size_t cells) : ring_(cells), cells_(cells) {}

  void send(std::size_t size) {
    const Payload payload = plausible(sent_ + 1, size, RingPair::kEpoch);
    const bool fits = used() + cells_of(size) < cells_;
    ASSERT_EQ(ring_.send(payload), fits);
    if (!fits) return;
    ++sent_;
    under_way_.push_back(payload);
    kept_.push_back(payload);
  }
  void take() {
    if (under_way_.empty()) {
      ASSERT_EQ(ring_.consumer.peek(), Peeked::kEmpty);
      return;
    }
    ASSERT_EQ(ring_.take(), under_way_.front());
    under_way_.pop_front();
  }
  void publish() {
    ring_.publish();
    while (kept_.size() > under_way_.size()) kept_.pop_front();
  }
  void refresh() {
    ASSERT_EQ(ring_.producer.refresh(), Health::kFine);
    ASSERT_EQ(ring_.producer.published(), sent_);
    ASSERT_EQ(ring_.producer.acknowledged(), sent_ - kept_.size());
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      ASSERT_EQ(joined(ring_.producer.kept(sent_ - kept_.size() + 1 + i)), kept_[i]);
    }
  }
  std::size_t largest() const { return ring_.producer.largest(); }

 private:
  std::size_t used() const {
    std::size_t cells = 0;
    for (const Payload& payload : kept_) cells += cells_of(payload.size());
    return cells;
  }

  RingPair ring_;
  std::size_t cells_;
  std::uint64_t sent_ = 0;
  std::deque<Payload> under_way_;  // sent, not taken
  std::deque<Payload> kept_;       // sent, not known as taken
};

// Sends of 1, 2 and 3 cells, as long as the ring is large enough for them; then take and publish.
void act(Checked& ring, std::size_t action, std::size_t sizes) {
  if (action < sizes) {
    ring.send(56 + 64 * action);
  } else if (action == sizes) {
    ring.take();
  } else {
    ring.publish();
  }
}

TEST(RingExhaustive, EverySequenceOfCallsOnSmallRings) {
  for (std::size_t cells = 2; cells <= 4; ++cells) {
    const std::size_t sizes = cells - 1;
    const std::size_t actions = sizes + 2;
    const int length = cells == 2 ? 11 : cells == 3 ? 8 : 7;
    std::size_t sequences = 1;
    for (int i = 0; i < length; ++i) sequences *= actions;
    for (std::size_t sequence = 0; sequence < sequences; ++sequence) {
      Checked ring(cells);
      std::size_t rest = sequence;
      for (int i = 0; i < length; ++i, rest /= actions) act(ring, rest % actions, sizes);
      ring.refresh();
      ASSERT_FALSE(testing::Test::HasFailure()) << cells << " cells, sequence " << sequence;
    }
  }
}

TEST(RingExhaustive, RandomCallsOnRingsOfAllSizes) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    std::mt19937 dice(seed);
    Checked ring(2 + dice() % (seed % 2 == 0 ? 20 : 700));
    const std::size_t largest =
        seed % 3 == 0 ? ring.largest() : std::min<std::size_t>(200, ring.largest());
    for (int i = 0; i < 2000; ++i) {
      switch (dice() % 5) {
        case 0:
        case 1:
          ring.send(1 + dice() % largest);
          break;
        case 2:
        case 3:
          ring.take();
          break;
        default:
          ring.publish();
          if (dice() % 8 == 0) ring.refresh();
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", call " << i;
    }
  }
}

}  // namespace
}  // namespace xs::ring::test
