// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Real mappings: what we read of a peer may be mapped read-only, and another mapping may take its
// place at any time.
#include <sys/mman.h>
#include <unistd.h>

#include "test/ring/ring_pair.hpp"

namespace xs::ring::test {
namespace {

constexpr std::size_t kPage = 4096;  // the smallest ring
constexpr std::uint64_t kEpoch = 5;

// A page with two mappings: one that its owner writes, one that its peer reads.
class SharedPage {
 public:
  SharedPage() : fd_(memfd_create("xs-ring-test", MFD_CLOEXEC)) {
    EXPECT_EQ(ftruncate(fd_, kPage), 0);
    own_ = map(nullptr, fd_, PROT_READ | PROT_WRITE, 0);
    peers_ = map(nullptr, fd_, PROT_READ, 0);
  }
  ~SharedPage() {
    munmap(own_, kPage);
    munmap(peers_, kPage);
    close(fd_);
  }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;

  OwnRegion own() const {
    return *OwnRegion::prepare({static_cast<std::byte*>(own_), kPage}, {.epoch = kEpoch});
  }
  PeerRegion peer() const {
    return *PeerRegion::read({static_cast<const std::byte*>(peers_), kPage}, kEpoch);
  }
  // What a migration of the reader does to the mapping.
  void lose() {
    const int ones = memfd_create("xs-ring-test-ones", MFD_CLOEXEC);
    const Payload page(kPage, std::byte{0xff});
    EXPECT_EQ(write(ones, page.data(), kPage), static_cast<ssize_t>(kPage));
    map(peers_, ones, PROT_READ, MAP_FIXED);
    close(ones);
  }

 private:
  static void* map(void* at, int fd, int protection, int flags) {
    void* mapping = mmap(at, kPage, protection, MAP_SHARED | flags, fd, 0);
    EXPECT_NE(mapping, MAP_FAILED);
    return mapping;
  }

  int fd_;
  void* own_;
  void* peers_;
};

// Both directions between A and B.
struct Sides {
  SharedPage page_a, page_b;
  OwnRegion own_a = page_a.own(), own_b = page_b.own();
  Producer a_out = *Producer::make(own_a, page_b.peer());
  Consumer b_in{own_b, page_a.peer()};
  Producer b_out = *Producer::make(own_b, page_a.peer());
  Consumer a_in{own_a, page_b.peer()};
};

void send(Producer& producer, const Payload& payload) {
  ASSERT_EQ(producer.claim(payload.size()), Claimed::kOk);
  producer.put(0, payload);
  EXPECT_FALSE(producer.commit());
}

void take(Consumer& consumer, const Payload& expected) {
  ASSERT_EQ(consumer.peek(), Peeked::kFrame);
  Payload payload(consumer.size());
  consumer.copy(0, payload.data(), payload.size());
  EXPECT_TRUE(consumer.release());
  EXPECT_EQ(payload, expected);
  EXPECT_FALSE(consumer.publish());
}

TEST(RingMapping, BothDirectionsNeedNoMoreThanToRead) {
  Sides sides;
  for (std::uint64_t number = 1; number <= 500; ++number) {
    const Payload payload = plausible(number, 1 + number * 61 % sides.a_out.largest(), kEpoch);
    send(sides.a_out, payload);
    take(sides.b_in, payload);
    send(sides.b_out, payload);
    take(sides.a_in, payload);
  }
}

TEST(RingMapping, ALossInTheMiddleOfACopyIsNoMessage) {
  Sides sides;
  const Payload payload = plausible(1, 3000, kEpoch);
  send(sides.a_out, payload);
  ASSERT_EQ(sides.b_in.peek(), Peeked::kFrame);
  Payload copied(sides.b_in.size());
  sides.b_in.copy(0, copied.data(), 1000);
  sides.page_a.lose();
  sides.b_in.copy(1000, &copied[1000], 2000);
  EXPECT_FALSE(sides.b_in.release());
  EXPECT_EQ(sides.b_in.health(), Health::kLost);
  EXPECT_EQ(sides.b_in.taken(), 0u);
  EXPECT_EQ(joined(sides.a_out.kept(1)), payload) << "for replay over another carrier";
  send(sides.b_out, payload);
  EXPECT_EQ(sides.b_out.refresh(), Health::kLost);
}

}  // namespace
}  // namespace xs::ring::test
