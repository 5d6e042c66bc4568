// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two regions in ordinary memory and the two ends of the direction from A to B.
#pragma once
#include <gtest/gtest.h>

#include "ring/consumer.hpp"
#include "ring/producer.hpp"
#include "test/ring/pages.hpp"

namespace xs::ring::test {

// Puts a frame at once, where the producer does that.
template <class Producer>
Quick put_quickly(Producer& producer, util::Bytes payload) {
  if (payload.size() < sizeof(std::uint64_t)) return Quick::kNo;
  return producer.put_quickly(payload.subspan(sizeof(std::uint64_t)),
                              util::load<std::uint64_t>(payload.data()));
}

// A produces, B consumes. `ToA` and `ToB` are how either end touches memory.
template <class ToA = SharedMemory, class ToB = SharedMemory>
struct BasicRingPair {
  static constexpr std::uint64_t kEpoch = 0x0000000300000007;

  explicit BasicRingPair(std::size_t cells, Terms a = {}, Terms b = {})
      : memory_a(region_size(cells)),
        memory_b(region_size(kFewestCells)),
        region_a(own(memory_a, a)),
        region_b(own(memory_b, b)),
        producer(make(region_a, peer(memory_b))),
        consumer(region_b, peer(memory_a)) {}

  static OwnRegion own(const Pages& pages, Terms terms) {
    terms.epoch = kEpoch;
    return *OwnRegion::prepare(pages.span(), terms);
  }
  static PeerRegion peer(const Pages& pages) { return *PeerRegion::read(pages.span(), kEpoch); }
  static BasicProducer<ToA> make(const OwnRegion& own, const PeerRegion& peer) {
    return *BasicProducer<ToA>::make(own, peer);
  }

  // True: it fitted. Rings are counted.
  bool send(const Payload& payload) {
    if (producer.claim(payload.size()) != Claimed::kOk) return false;
    producer.put(0, payload);
    rings_for_b += producer.commit();
    return true;
  }
  // The next frame; empty if there is none or it was not to be taken.
  Payload take() {
    if (consumer.peek() != Peeked::kFrame) return {};
    Payload payload(consumer.size());
    consumer.copy(0, payload.data(), payload.size());
    return consumer.release() ? payload : Payload{};
  }
  void publish() { rings_for_a += consumer.publish(); }

  Pages memory_a, memory_b;
  OwnRegion region_a, region_b;
  BasicProducer<ToA> producer;
  BasicConsumer<ToB> consumer;
  int rings_for_a = 0, rings_for_b = 0;
};
using RingPair = BasicRingPair<>;

}  // namespace xs::ring::test
