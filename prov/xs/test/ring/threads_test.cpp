// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two threads, one at either end. Under ThreadSanitizer this checks the pairs of docs/ring.md §8.
#include <chrono>
#include <semaphore>
#include <thread>

#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

constexpr std::uint64_t kFrames = 30000;
constexpr auto kDeadline = std::chrono::seconds(60);

std::size_t size_of(std::uint64_t number) { return 1 + number * 2654435761u % 300; }

// Counts rings; the ring asks for no more than one to be remembered.
class Doorbell {
 public:
  void ring() { rings_.release(); }
  bool wait() { return rings_.try_acquire_for(kDeadline); }

 private:
  std::counting_semaphore<> rings_{0};
};

// One direction whose ends poll (and yield) or sleep.
class Traffic {
 public:
  Traffic(std::size_t cells, bool sleepy)
      : sleepy_(sleepy), ring_(cells, {.producer_sleeps = sleepy}, {.consumer_sleeps = sleepy}) {}

  void run() {
    std::thread producer([this] { produce(); });
    consume();
    producer.join();
  }

 private:
  void produce() {
    for (std::uint64_t number = 1; number <= kFrames;) {
      const Payload payload = plausible(number, size_of(number), RingPair::kEpoch);
      const Quick put = number % 2 == 0 ? put_quickly(ring_.producer, payload) : Quick::kNo;
      if (put != Quick::kNo) {
        if (put == Quick::kPutRing) consumers_bell_.ring();
        ++number;
      } else if (ring_.producer.claim(payload.size()) == Claimed::kOk) {
        ring_.producer.put(0, payload);
        if (ring_.producer.commit()) consumers_bell_.ring();
        ++number;
      } else if (!rest(producers_bell_, ring_.producer, payload.size())) {
        return;
      }
    }
  }

  void consume() {
    for (std::uint64_t number = 1; number <= kFrames;) {
      if (ring_.consumer.peek() == Peeked::kFrame) {
        ASSERT_EQ(ring_.take(), plausible(number, size_of(number), RingPair::kEpoch));
        ++number;
        if (ring_.consumer.publish_due()) tell();
        continue;
      }
      tell();
      ASSERT_TRUE(rest(consumers_bell_, ring_.consumer)) << "at frame " << number;
    }
    tell();
  }

  void tell() {
    if (ring_.consumer.publish()) producers_bell_.ring();
  }

  // False: too late, or failed.
  template <class End, class... Size>
  bool rest(Doorbell& bell, End& end, Size... size) {
    if (end.health() != Health::kFine || std::chrono::steady_clock::now() > deadline_) return false;
    if (!sleepy_) {
      std::this_thread::yield();
      return true;
    }
    if (!end.arm(size...)) return true;
    const bool rung = bell.wait();
    end.disarm();
    return rung;
  }

  const std::chrono::steady_clock::time_point deadline_ =
      std::chrono::steady_clock::now() + kDeadline;
  bool sleepy_;
  RingPair ring_;
  Doorbell consumers_bell_, producers_bell_;
};

TEST(RingThreads, PollOnALargeRing) { Traffic(700, false).run(); }
TEST(RingThreads, PollOnASmallRing) { Traffic(6, false).run(); }
TEST(RingThreads, SleepOnALargeRing) { Traffic(700, true).run(); }
TEST(RingThreads, SleepOnASmallRing) { Traffic(6, true).run(); }

}  // namespace
}  // namespace xs::ring::test
