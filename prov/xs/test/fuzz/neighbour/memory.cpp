// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the neighbour does in memory: at any time, between any two of our reads, in the middle of a
// copy.
#include <algorithm>

#include "fuzz/neighbour/world.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using proto::Kind;
using test::Frame;

namespace {

constexpr std::size_t kFirstWords = 32;  // of a region: header and lines in front of the cells
constexpr Kind kRemote[] = {Kind::kWrite, Kind::kPut,    Kind::kRead,
                            Kind::kGot,   Kind::kAtomic, Kind::kDone};

}  // namespace

void World::before_read(const void* at) noexcept {
  if (silent_ || !peer_.ours) return;
  const auto region = peer_.ours->span();
  if (at < region.data() || at >= region.data() + region.size()) return;
  for (std::size_t i = lies_.size(); i-- > 0;) {
    if (lies_[i].in-- > 0) continue;
    tell(lies_[i]);
    lies_.erase(lies_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void World::loaded(const std::uint64_t* word, std::uint64_t value,
                   std::memory_order order) noexcept {
  require(stands(word, sizeof *word));
  shown_.loaded(word, value, order);
}

void World::copied(const std::byte* from, util::Bytes bytes) noexcept {
  require(stands(from, bytes.size()));
  shown_.copied(from, bytes);
}

// Nothing else is read as shared memory.
bool World::stands(const void* at, std::size_t size) const {
  const auto* const from = static_cast<const std::byte*>(at);
  const auto holds = [&](const std::shared_ptr<test::Pages>& pages) {
    const auto span = pages->span();
    return from >= span.data() && from + size <= span.data() + span.size();
  };
  return (link_.newest && holds(link_.newest)) || std::ranges::any_of(regions_, holds);
}

World::Lie World::read_lie() {
  Lie lie{};
  lie.in = script_.next() % 32;
  lie.what = script_.next() % 8;
  lie.where = script_.next();
  const bool wide = lie.what == 1;
  lie.value = wide ? script_.number<std::uint64_t>() : script_.number<std::uint16_t>();
  return lie;
}

// A word of the region: one of the first, or one of the frame that is looked at.
std::uint64_t* World::word_of(const Lie& lie) {
  if (lie.where < kFirstWords) return peer_.ours->word(8 * std::size_t{lie.where});
  const auto region = peer_.ours->span();
  std::uint64_t* const look = shown_.last_look();
  const auto* const begin = reinterpret_cast<const std::byte*>(look);
  if (!look || begin < region.data() || begin >= region.data() + region.size()) return nullptr;
  const auto words = static_cast<std::size_t>(region.data() + region.size() - begin) / 8;
  return look + (lie.where - kFirstWords) % words;
}

void World::tell(const Lie& lie) {
  if (!peer_.ours) return;
  std::uint64_t* const word = word_of(lie);
  const std::uint64_t published = peer_.producer ? peer_.producer->published() : 0;
  // These alone can make frames of what is none.
  may_end_ = may_end_ || lie.what == 1 || lie.what == 4 || lie.what == 5 || lie.what == 7;
  switch (lie.what) {
    case 0:
      return peer_.ours->fill(std::byte{0xff});
    case 1:
      if (word) *word = lie.value;
      return;
    case 2:
      if (word) *word = 0;
      return;
    case 3:
      *peer_.ours->word(ring::kConsumedAt) = lie.value & 0xff;
      return;
    case 4:
      if (word && lie.where >= kFirstWords)
        *word = ring::Stamp{.number = static_cast<std::uint32_t>(published + lie.where % 4),
                            .size = static_cast<std::uint32_t>(lie.value),
                            .tag = ring::tag_of(peer_.terms.epoch)}
                    .word();
      return;
    case 5:
      if (word) *word ^= std::uint64_t{lie.value} << lie.value % 48;
      return;
    case 6:
      *peer_.ours->word(lie.where % 2 ? ring::kConsumerArmAt : ring::kProducerArmAt) = lie.value;
      return;
    default:
      if (shown_.last_look() && word) *shown_.last_look() = shown_.last_stamp();
  }
}

void World::put_letter() {
  const std::uint8_t form = script_.next();
  const Frame body = test::eager(
      form % kTags, Frame(std::min(size_of(script_.next()), config_.eager), std::byte{form}));
  if (!peer_.producer) return;
  may_end_ = may_end_ || asked_to_announce();
  peer_.put_next(Kind::kEager, body, proto::kTagged | ((form & 0x80) != 0 ? proto::kAckNow : 0));
}

void World::put_anything() {
  const std::uint8_t form = script_.next();
  const std::uint8_t flags = script_.next();
  const Kind kind = form < 0xa0   ? kSequenced[form % std::size(kSequenced)]
                    : form < 0xe0 ? kRemote[form % std::size(kRemote)]
                                  : Kind{script_.next()};
  const Frame body = body_of(kind);
  const std::uint64_t number = near(peer_.seq);
  if (!peer_.producer || body.size() + 8 > peer_.producer->largest()) return;
  may_end_ = true;
  const proto::RingHead head{kind, flags, static_cast<std::uint32_t>(number)};
  if (peer_.put(pack(head), body) && number == peer_.seq) ++peer_.seq;
}

void World::take_from_ring() {
  const std::uint8_t form = script_.next();
  if (!peer_.consumer) return;
  for (unsigned i = 0; i <= form % 4u; ++i) {
    if (peer_.consumer->peek() != ring::Peeked::kFrame) break;
    Frame bytes(std::max<std::size_t>(peer_.consumer->size(), proto::kRingHeadSize));
    peer_.consumer->copy(0, bytes.data(), peer_.consumer->size());
    if (!peer_.consumer->release()) return;
    learn(static_cast<Kind>(bytes[0]), util::Bytes(bytes).subspan(proto::kRingHeadSize));
    peer_.ack = std::max<std::uint64_t>(peer_.ack, util::load<std::uint32_t>(bytes.data() + 4) + 1);
  }
  if ((form & 0x80) == 0) (void)peer_.consumer->publish();
}

}  // namespace xs::fuzz
