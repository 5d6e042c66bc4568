// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory orders of the real code, on any machine: the table of docs/ring.md §8 pinned call by call,
// and every set of stores that a weakly ordered machine may make visible, put before a consumer.
#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

enum class Access : std::uint8_t { kLoad, kStore, kPut, kCopy, kSettle };

struct Event {
  Access access;
  std::memory_order order;
  std::byte* at;
  Payload bytes;  // of stores and puts
};

// Remembers what is done to memory, in the order of the program.
struct Recorder {
  static inline std::vector<Event> events;

  static std::uint64_t load(const std::uint64_t* word, std::memory_order order) {
    add(Access::kLoad, order, word, nullptr, 0);
    return SharedMemory::load(word, order);
  }
  static void store(std::uint64_t* word, std::uint64_t value, std::memory_order order) {
    add(Access::kStore, order, word, &value, sizeof value);
    SharedMemory::store(word, value, order);
  }
  // Cell by cell: a large put may become visible in pieces.
  static void put(std::byte* to, const std::byte* from, std::size_t size) {
    while (size != 0) {
      const std::size_t to_line = 64 - reinterpret_cast<std::uintptr_t>(to) % 64;
      const std::size_t piece = std::min(size, to_line);
      add(Access::kPut, std::memory_order_relaxed, to, from, piece);
      SharedMemory::put(to, from, piece);
      to += piece, from += piece, size -= piece;
    }
  }
  static void put_past_caches(std::byte* to, const std::byte* from, std::size_t size) {
    put(to, from, size);
  }
  static void copy(std::byte* to, const std::byte* from, std::size_t size) {
    if (size != 0) add(Access::kCopy, std::memory_order_relaxed, from, nullptr, 0);
    SharedMemory::copy(to, from, size);
  }
  static void expect_store(const std::uint64_t*) {}
  static void expect_load(const std::byte*) {}
  static std::uint64_t glance(const std::uint64_t*) { return 0; }
  static void settle() { add(Access::kSettle, std::memory_order_acquire, nullptr, nullptr, 0); }

 private:
  static void add(Access access, std::memory_order order, const void* at, const void* bytes,
                  std::size_t size) {
    const auto* from = static_cast<const std::byte*>(bytes);
    auto* where = static_cast<std::byte*>(const_cast<void*>(at));
    events.push_back({access, order, where, Payload(from, from + size)});
  }
};

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

// One event without its bytes, to compare.
struct Expected {
  Access access;
  std::memory_order order;
  const void* at;
};

template <class Call>
void expect_events(const char* what, Call call, const std::vector<Expected>& expected) {
  Recorder::events.clear();
  call();
  ASSERT_EQ(Recorder::events.size(), expected.size()) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(Recorder::events[i].access, expected[i].access) << what << ", event " << i;
    EXPECT_EQ(Recorder::events[i].order, expected[i].order) << what << ", event " << i;
    EXPECT_EQ(Recorder::events[i].at, expected[i].at) << what << ", event " << i;
  }
}

using Recorded = BasicRingPair<Recorder, Recorder>;
const Payload kFrame(8, std::byte{1});

void expect_order_of_one_frame(bool sleepy) {
  const Terms terms{.consumer_sleeps = sleepy, .producer_sleeps = sleepy};
  Recorded ring(4, terms, terms);
  const std::uint64_t* stamp = ring.memory_a.cell(0);
  const std::uint64_t* next = ring.memory_a.cell(1);
  const std::uint64_t* consumed = ring.memory_b.word(kConsumedAt);
  std::vector<Expected> sent{{Access::kStore, kRelaxed, next},
                             {Access::kPut, kRelaxed, stamp + 1},
                             {Access::kStore, sleepy ? kSeqCst : kRelease, stamp}};
  if (sleepy) sent.push_back({Access::kLoad, kSeqCst, ring.memory_b.word(kConsumerArmAt)});
  sent.push_back({Access::kStore, kRelaxed, ring.memory_a.cell(2)});  // of the second frame
  expect_events(
      "send", [&] { ASSERT_TRUE(ring.send(kFrame)); }, sent);
  expect_events("take", [&] { ASSERT_EQ(ring.take(), kFrame); },
                {{Access::kLoad, kAcquire, stamp},
                 {Access::kCopy, kRelaxed, stamp + 1},
                 {Access::kSettle, kAcquire, nullptr},
                 {Access::kLoad, kRelaxed, stamp}});
  std::vector<Expected> told{{Access::kStore, sleepy ? kSeqCst : kRelease, consumed}};
  if (sleepy) told.push_back({Access::kLoad, kSeqCst, ring.memory_a.word(kProducerArmAt)});
  expect_events(
      "publish", [&] { ring.publish(); }, told);
  expect_events("refresh", [&] { ring.producer.refresh(); }, {{Access::kLoad, kAcquire, consumed}});
}

TEST(RingOrder, OfOneFrameBetweenThoseWhoPoll) { expect_order_of_one_frame(false); }

TEST(RingOrder, OfOneFrameBetweenThoseWhoSleep) { expect_order_of_one_frame(true); }

// Nothing but the line of the message stands between its bytes and its stamp; what is cleared for
// later ones is cleared behind it, and only where the peer has taken everything.
TEST(RingOrder, OfSmallFramesThatFindTheirEndCleared) {
  Recorded ring(12, {}, {});
  const auto cell = [&](std::uint32_t at) { return ring.memory_a.cell(at); };
  for (std::uint32_t at = 0; at < 11; ++at) {
    std::vector<Expected> sent{{Access::kPut, kRelaxed, cell(at) + 1},
                               {Access::kStore, kRelease, cell(at)}};
    if (at == 0) {
      sent.insert(sent.begin(), {Access::kStore, kRelaxed, cell(1)});
      for (std::uint32_t ahead : {2, 3, 4}) sent.push_back({Access::kStore, kRelaxed, cell(ahead)});
    } else if (at % 2 == 0) {  // one is left of three
      for (std::uint32_t ahead : {at + 3, at + 4})
        if (ahead < 12) sent.push_back({Access::kStore, kRelaxed, cell(ahead)});
    }
    expect_events(
        "send", [&] { ASSERT_TRUE(ring.send(kFrame)); }, sent);
  }
  EXPECT_EQ(ring.producer.claim(8), Claimed::kFull);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(ring.take(), kFrame);
}

TEST(RingOrder, OfALargeFrameThatClearsItsEndOnly) {
  Recorded ring(24, {}, {});
  ASSERT_TRUE(ring.send(kFrame));
  const Payload large(10 * kCellSize, std::byte{2});  // 11 cells, beyond what is cleared
  Recorder::events.clear();
  ASSERT_TRUE(ring.send(large));
  std::vector<const void*> stores;
  for (const auto& event : Recorder::events)
    if (event.access == Access::kStore) stores.push_back(event.at);
  EXPECT_EQ(stores, (std::vector<const void*>{ring.memory_a.cell(12), ring.memory_a.cell(1)}));
  EXPECT_EQ(ring.take(), kFrame);
  EXPECT_EQ(ring.take(), large);
}

TEST(RingOrder, OfGoingToSleep) {
  const Terms sleepy{.consumer_sleeps = true, .producer_sleeps = true};
  Recorded ring(4, sleepy, sleepy);
  const std::uint64_t* word = ring.memory_b.word(kConsumerArmAt);
  expect_events("consumer arms", [&] { EXPECT_TRUE(ring.consumer.arm()); },
                {{Access::kStore, kSeqCst, word}, {Access::kLoad, kSeqCst, ring.memory_a.cell(0)}});
  expect_events("consumer disarms", [&] { ring.consumer.disarm(); },
                {{Access::kStore, kRelaxed, word}});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.send(kFrame));
  const std::uint64_t* consumed = ring.memory_b.word(kConsumedAt);
  expect_events("claim", [&] { EXPECT_EQ(ring.producer.claim(8), Claimed::kFull); },
                {{Access::kLoad, kAcquire, consumed}});
  expect_events("producer arms", [&] { EXPECT_TRUE(ring.producer.arm(8)); },
                {{Access::kStore, kSeqCst, ring.memory_a.word(kProducerArmAt)},
                 {Access::kLoad, kSeqCst, consumed}});
}

// A producer whose stores become visible to the consumer when the test says so.
class Weak {
 public:
  // most: frames per round.
  Weak(std::size_t cells, std::size_t most)
      : most_(most),
        own_(region_size(cells)),
        image_(region_size(cells)),
        back_(region_size(kFewestCells)),
        region_(BasicRingPair<>::own(own_, {})),
        back_region_(BasicRingPair<>::own(back_, {})),
        producer_(*BasicProducer<Recorder>::make(region_, BasicRingPair<>::peer(back_))),
        consumer_(back_region_, (show_all(), BasicRingPair<>::peer(image_))) {}

  // Sends as much as fits and may be, then looks at everything that may be visible of it, then
  // shows it all and takes some of it.
  void round(std::size_t take) {
    Recorder::events.clear();
    for (std::size_t sent = 0; sent < most_ && send(); ++sent) {
    }
    for (std::size_t at = 0; at < Recorder::events.size(); ++at) {
      if (Recorder::events[at].order == kRelease) look_after(at + 1);
    }
    look_after(0);
    show_all();
    for (; take != 0 && take_from(consumer_); --take) {
    }
    EXPECT_FALSE(consumer_.publish());
    EXPECT_EQ(producer_.refresh(), Health::kFine);
  }
  std::size_t looks() const { return looks_; }

 private:
  static std::size_t size_of(std::uint64_t number) { return number % 3 == 0 ? 100 : 40; }

  bool send() {
    const std::uint64_t number = producer_.published() + 1;
    const Payload frame = plausible(number, size_of(number), BasicRingPair<>::kEpoch);
    if (number % 2 == 0 && put_quickly(producer_, frame) != Quick::kNo) return true;
    if (producer_.claim(frame.size()) != Claimed::kOk) return false;
    producer_.put(0, frame);
    EXPECT_FALSE(producer_.commit());
    return true;
  }

  // All up to event `seen`, which is none or a release store, is visible. Of the others any that is
  // no release store may be.
  void look_after(std::size_t seen) {
    std::vector<const Event*> early;
    for (std::size_t at = seen; at < Recorder::events.size(); ++at) {
      const Event& event = Recorder::events[at];
      const bool is_store = event.access == Access::kStore || event.access == Access::kPut;
      if (is_store && event.order == kRelaxed) early.push_back(&event);
    }
    const std::vector<std::byte> before(image_.span().begin(), image_.span().end());
    for (std::size_t subset = 0; subset < std::size_t{1} << early.size(); ++subset) {
      for (std::size_t at = 0; at < seen; ++at) show(Recorder::events[at]);
      for (std::size_t i = 0; i < early.size(); ++i) {
        if ((subset >> i & 1) != 0) show(*early[i]);
      }
      look(seen);
      std::copy(before.begin(), before.end(), image_.span().begin());
    }
  }

  // A copy of the consumer sees what is published up to event `seen`, and nothing else.
  void look(std::size_t seen) {
    ++looks_;
    std::uint64_t published = shown_;
    for (std::size_t at = 0; at < seen; ++at) published += Recorder::events[at].order == kRelease;
    BasicConsumer<SharedMemory> consumer = consumer_;
    while (take_from(consumer)) {
    }
    EXPECT_EQ(consumer.health(), Health::kFine);
    EXPECT_EQ(consumer.taken(), published);
  }

  bool take_from(BasicConsumer<SharedMemory>& consumer) {
    if (consumer.peek() != Peeked::kFrame) return false;
    const std::uint64_t number = consumer.taken() + 1;
    Payload payload(consumer.size());
    consumer.copy(0, payload.data(), payload.size());
    EXPECT_TRUE(consumer.release());
    EXPECT_EQ(payload, plausible(number, size_of(number), BasicRingPair<>::kEpoch));
    return true;
  }

  void show(const Event& event) {
    std::copy(event.bytes.begin(), event.bytes.end(),
              image_.span().begin() + (event.at - own_.span().data()));
  }
  void show_all() {
    std::copy(own_.span().begin(), own_.span().end(), image_.span().begin());
    shown_ = producer_.published();
  }

  std::size_t most_;
  Pages own_, image_, back_;
  OwnRegion region_, back_region_;
  BasicProducer<Recorder> producer_;
  BasicConsumer<SharedMemory> consumer_;
  std::uint64_t shown_ = 0;  // frames of which all is visible
  std::size_t looks_ = 0;
};

TEST(RingOrder, WhateverBecomesVisibleFirstOnlyWholeFramesAreSeen) {
  Weak weak(4, 4);
  for (std::size_t i = 0; i < 60 && !testing::Test::HasFailure(); ++i) weak.round(1 + i % 3);
  std::printf("    %zu looks\n", weak.looks());
  EXPECT_GT(weak.looks(), 1000u);
}

// Where several cells are cleared ahead at a time.
TEST(RingOrder, WhateverIsClearedAheadFirstOnlyWholeFramesAreSeen) {
  Weak weak(12, 3);
  for (std::size_t i = 0; i < 24 && !testing::Test::HasFailure(); ++i) weak.round(2 + i % 3);
  std::printf("    %zu looks\n", weak.looks());
  EXPECT_GT(weak.looks(), 10000u);
}

}  // namespace
}  // namespace xs::ring::test
