// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A ring whose peer writes whatever it likes, whenever it likes: between any two of our reads, and
// in the middle of a copy. Sanitizers see every access outside of the regions.
#include <deque>

#include "ring/consumer.hpp"
#include "ring/producer.hpp"
#include "test/fuzz/round_trip.hpp"
#include "test/fuzz/script.hpp"
#include "test/ring/pages.hpp"

namespace {

using namespace xs;
using fuzz::require;
using fuzz::Script;
using ring::Claimed;
using ring::Health;
using ring::Peeked;

constexpr std::uint64_t kEpoch = 0x0000000300000007;

// The peer: it owns one region, and may change it before each of our accesses.
struct Liar {
  Script script;
  ring::test::Pages mine;   // what the liar may read only
  ring::test::Pages its;    // what it writes
  std::uint64_t taken = 0;  // how far we are, for lies that are almost true
  std::uint64_t published = 0;

  bool holds(const ring::test::Pages& pages, const void* at, std::size_t size) const {
    const auto* from = static_cast<const std::byte*>(at);
    const std::span<std::byte> span = pages.span();
    return from >= span.data() && from + size <= span.data() + span.size();
  }
  void act() {
    const std::uint8_t what = script.next();
    if (what < 0x80) return;
    const std::size_t words = its.span().size() / 8;
    std::size_t word = script.next() % words;
    if ((what & 1) != 0) word = (word & ~std::size_t{7}) % words;  // lines begin with words
    switch (what >> 4) {
      case 8:
        *its.word(word * 8) = script.number<std::uint64_t>();
        break;
      case 9:
        *its.word(word * 8) = 0;
        break;
      case 10:
        *its.word(word * 8) = ring::kAllOnes;
        break;
      case 11:
        *its.word(ring::kConsumedAt) = published - (what & 3) + 1;
        break;
      case 12:
        *its.word(ring::kConsumerArmAt) = script.next();
        break;
      case 13:
        *its.word(ring::kProducerArmAt) = script.next();
        break;
      case 14:
        *its.word(ring::kCellsAt + word * 8 % (its.span().size() - ring::kCellsAt)) =
            ring::Stamp{.number = static_cast<std::uint32_t>(taken + 1 + (what >> 1 & 1)),
                        .size = script.number<std::uint16_t>() % 600u,
                        .tag = ring::tag_of(kEpoch)}
                .word();
        break;
      default:
        if ((what & 0xf) == 0xf) its.fill(std::byte{0xff});
    }
  }
};

Liar* g_liar = nullptr;

// Memory beside which the liar sits.
struct Haunted : ring::SharedMemory {
  static std::uint64_t load(const std::uint64_t* word, std::memory_order order) {
    require(g_liar->holds(g_liar->its, word, 8) || g_liar->holds(g_liar->mine, word, 8));
    g_liar->act();
    return SharedMemory::load(word, order);
  }
  static void store(std::uint64_t* word, std::uint64_t value, std::memory_order order) {
    require(g_liar->holds(g_liar->mine, word, 8));
    SharedMemory::store(word, value, order);
    g_liar->act();
  }
  static void put(std::byte* to, const std::byte* from, std::size_t size) {
    require(size == 0 || g_liar->holds(g_liar->mine, to, size));
    SharedMemory::put(to, from, size);
  }
  static void put_past_caches(std::byte* to, const std::byte* from, std::size_t size) {
    require(g_liar->holds(g_liar->mine, to, size));
    SharedMemory::put_past_caches(to, from, size);
  }
  static void copy(std::byte* to, const std::byte* from, std::size_t size) {
    require(size == 0 || g_liar->holds(g_liar->its, from, size));
    SharedMemory::copy(to, from, size / 2);
    g_liar->act();
    SharedMemory::copy(to + size / 2, from + size / 2, size - size / 2);
  }
};

// Our end of the pair, and what must hold of it whatever the peer does.
class End {
 public:
  End(Liar& liar, const ring::OwnRegion& own, const ring::PeerRegion& peer)
      : liar_(liar), producer_(*Producer::make(own, peer)), consumer_(own, peer) {}

  void act() {
    const std::uint8_t what = liar_.script.next();
    switch (what % 8) {
      case 0:
      case 1:
        send(1 + liar_.script.number<std::uint16_t>() % producer_.largest());
        break;
      case 2:
      case 3:
      case 4:
        take();
        break;
      case 5:
        publish();
        break;
      case 6:
        if (consumer_.arm()) require(consumer_.health() == Health::kFine);
        if ((what & 0x10) != 0) consumer_.disarm();
        break;
      default:
        if ((what & 0x20) != 0) producer_.refresh();
        if (producer_.arm(1 + what)) require(producer_.health() == Health::kFine);
        if ((what & 0x10) != 0) producer_.disarm();
    }
    check();
  }

 private:
  using Producer = ring::BasicProducer<Haunted>;
  using Consumer = ring::BasicConsumer<Haunted>;

  void send(std::size_t size) {
    const Claimed claimed = producer_.claim(size);
    require((claimed == Claimed::kFailed) == (producer_.health() != Health::kFine));
    if (claimed != Claimed::kOk) return;
    const ring::test::Payload payload =
        ring::test::plausible(producer_.published() + 1, size, kEpoch);
    producer_.put(0, payload);
    (void)producer_.commit();
    kept_.push_back(payload);
  }

  void take() {
    if (consumer_.peek() != Peeked::kFrame) return;
    const std::size_t size = consumer_.size();
    require(size >= 1 && size <= consumer_.largest());
    ring::test::Payload payload(size);
    const std::size_t half = liar_.script.next() % size;
    consumer_.copy(half, &payload[half], size - half);
    consumer_.copy(0, payload.data(), half);
    const std::uint64_t before = consumer_.taken();
    const bool released = consumer_.release();
    require(consumer_.taken() == before + released);
    require(released == (consumer_.health() == Health::kFine));
  }

  void publish() {
    (void)consumer_.publish();
    require(*liar_.mine.word(ring::kConsumedAt) == consumer_.taken());
  }

  void check() {
    liar_.taken = consumer_.taken();
    liar_.published = producer_.published();
    require(producer_.acknowledged() <= producer_.published());
    require(producer_.published() - producer_.acknowledged() <= kept_.size());
    while (kept_.size() > producer_.published() - producer_.acknowledged()) kept_.pop_front();
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      require(ring::test::joined(producer_.kept(producer_.acknowledged() + 1 + i)) == kept_[i]);
    }
    require_final(producers_, producer_.health());
    require_final(consumers_, consumer_.health());
  }

  static void require_final(Health& before, Health now) {
    require(before == Health::kFine || before == now);
    before = now;
  }

  Liar& liar_;
  Producer producer_;
  Consumer consumer_;
  std::deque<ring::test::Payload> kept_;
  Health producers_ = Health::kFine, consumers_ = Health::kFine;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script(std::as_bytes(std::span(data, size)));
  const std::size_t our_cells = 2 + script.next() % 8;
  const std::size_t its_cells = 2 + script.next() % 8;
  const std::uint8_t flags = script.next();
  const ring::Terms terms{.epoch = kEpoch,
                          .nonce = {},
                          .consumer_sleeps = (flags & 1) != 0,
                          .producer_sleeps = (flags & 2) != 0};
  Liar liar{script, ring::test::Pages(ring::test::region_size(our_cells)),
            ring::test::Pages(ring::test::region_size(its_cells))};
  g_liar = &liar;
  auto own = ring::OwnRegion::prepare(liar.mine.span(), terms);
  require(static_cast<bool>(own));
  require(static_cast<bool>(ring::OwnRegion::prepare(liar.its.span(), terms)));
  if ((flags & 4) != 0) liar.act();
  auto peer = ring::PeerRegion::read(liar.its.span(), kEpoch);
  if (!peer) return 0;
  require(peer->cell_count() == its_cells);
  End end(liar, *own, *peer);
  while (!liar.script.empty()) end.act();
  return 0;
}
