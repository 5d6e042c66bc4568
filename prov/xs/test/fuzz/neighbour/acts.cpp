// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the neighbour does, as the fuzzer's bytes have it.
#include <algorithm>

#include "fuzz/neighbour/world.hpp"
#include "proto/rma_frame.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using proto::Kind;
using test::Frame;

namespace {

constexpr std::uint64_t kTags = 3;
constexpr std::size_t kFirstWords = 32;  // of a region: header and lines in front of the cells
constexpr Kind kSequenced[] = {Kind::kEager, Kind::kRts,  Kind::kCts,    Kind::kData,
                               Kind::kFin,   Kind::kSent, Kind::kGoodbye};
constexpr Kind kRemote[] = {Kind::kWrite, Kind::kPut,    Kind::kRead,
                            Kind::kGot,   Kind::kAtomic, Kind::kDone};
constexpr std::uint8_t kChangesMemory = 0xf0;  // from there on it changes what may be read of it
constexpr std::uint8_t kReaches = 0xf8;        // from there on we act on the peer's memory

}  // namespace

void World::act() {
  const std::uint8_t what = script_.next();
  if (what >= kReaches) {
    reach();
    return check();
  }
  if (what >= kChangesMemory && rings_.limits.reader) {
    mind_.change(script_.next(), peer_.terms.nonce);
    return check();
  }
  switch (what % 16) {
    case 0:
      pass(util::kMillisecond);
      break;
    case 1:
      pass(script_.next() * util::kSecond / 8);
      break;
    case 2:
      receive();
      break;
    case 3:
      send();
      break;
    case 4:
      offer();
      break;
    case 5:
      say_of_path();
      break;
    case 6:
    case 7:
      put_letter();
      break;
    case 8:
      put_anything();
      break;
    case 9:
    case 10:
      take_from_ring();
      break;
    case 11:
      say_letter();
      break;
    case 12:
      say_anything();
      break;
    case 13:
      tell(read_lie());
      break;
    case 14:
      lies_.push_back(read_lie());
      break;
    default:
      say_bulk();
  }
  check();
}

// ---- In memory ----

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

// ---- Joining and leaving ----

void World::offer() {
  const std::uint8_t form = script_.next();
  const bool answers = peer_.life.high == ~0ull;
  if (answers && !offered_) return;
  const std::uint64_t epoch = answers ? offered_->epoch : ++epoch_;
  proto::Offer offer = peer_.offer(link_, epoch, 1 + form % kMostPages);
  mind_.show(peer_.terms.nonce);
  shown_.region(peer_.ours);
  regions_.push_back(peer_.ours);
  if (answers) map();
  if ((form & 0x40) != 0) {
    const std::size_t word = script_.next() % 8u;  // of the header
    *peer_.ours->word(8 * word) = script_.number<std::uint64_t>();
  }
  if ((form & 0x80) != 0) {
    offer.pages += script_.next() % 3u;
    offer.wished = script_.number<std::uint32_t>();
    offer.epoch += script_.next() % 3u;
    may_end_ = may_end_ || offer.wished == 0;
  }
  hear(peer_.say(offer));
  if (!answers && (form & 0x20) == 0) hear(peer_.mapped(epoch));
}

void World::map() {
  peer_.map(link_, *offered_);
  regions_.push_back(peer_.theirs);
}

void World::say_of_path() {
  const std::uint8_t form = script_.next();
  const std::uint64_t epoch = near(std::max(epoch_, peer_.terms.epoch));
  may_end_ = may_end_ || epoch == 0;
  switch (form % 4) {
    case 0:
      return hear(peer_.mapped(epoch));
    case 1:
      return hear(peer_.left(epoch, (form & 0x80) != 0, form >> 2 & 0xf));
    case 2:
      return hear(peer_.ping(1 + script_.number<std::uint16_t>()));
    default:
      lost_ = form == 0xff;
      // An answer to a PING that was sent, or was not.
      return hear(peer_.frame(Kind::kAck, form < 0x80 ? pinged_ : script_.number<std::uint64_t>()));
  }
}

// ---- Over the fabric ----

void World::say_letter() {
  const std::uint8_t form = script_.next();
  const Frame body = test::eager(
      form % kTags, Frame(std::min(size_of(script_.next()), config_.eager), std::byte{form}));
  may_end_ = may_end_ || asked_to_announce();
  if ((form & 0x40) != 0) peer_.seq = next_;
  hear(peer_.next(Kind::kEager, body, proto::kTagged));
}

void World::say_anything() {
  constexpr Kind kOthers[] = {Kind::kPing, Kind::kAck, Kind::kOffer, Kind::kMapped, Kind::kLeft};
  const std::uint8_t form = script_.next();
  const std::uint8_t flags = script_.next();
  const Kind kind =
      form < 0x80 ? kSequenced[form % std::size(kSequenced)] : kOthers[form % std::size(kOthers)];
  const Frame body = body_of(kind);
  const std::uint64_t ack = peer_.ack;
  peer_.ack = near(ack);
  const bool sequenced = proto::is_sequenced(kind);
  const std::uint64_t number = sequenced ? near(peer_.seq) : script_.number<std::uint16_t>();
  may_end_ = true;
  if (sequenced && number == peer_.seq) ++peer_.seq;
  hear(peer_.frame(kind, number, body, flags));
  peer_.ack = ack;
}

// The bytes of a rendezvous beside the stream.
void World::say_bulk() {
  const std::uint8_t form = script_.next();
  test::ScriptedEndpoint* const home = this->home();
  if (!home || home->tagged_receives() == 0) return;
  const std::size_t room = home->newest_room();
  const Frame bytes(form < 0x80 ? room : form % (room + 1), std::byte{form});
  may_end_ = may_end_ || bytes.size() != room;
  shown_.bulk(bytes);
  home->arrives(home->newest_tag(), bytes);
  pass(0);
}

// A body of that kind whose values are mostly right, if the kind is one.
Frame World::body_of(Kind kind) {
  const std::uint8_t form = script_.next();
  const Frame payload(size_of(script_.next()), std::byte{form});
  switch (kind) {
    case Kind::kEager:
      return test::eager(form % kTags, payload);
    case Kind::kRts:
      return test::body_of(proto::Rts{.envelope = {form % kTags, form},
                                      .length = payload.size(),
                                      .send_id = near(rts_ + 1),
                                      .address = form >= 0xf0 ? script_.number<std::uint64_t>()
                                                 : form >= 0x80 && rings_.limits.reader
                                                     ? PeerMemory::kBegin + form
                                                     : 0u});
    case Kind::kCts:
      return test::body_of(proto::Cts{.send_id = near(rts_),
                                      .receive_id = near(1),
                                      .bulk_tag = near(1),
                                      .length = near(payload.size()),
                                      .mode = static_cast<proto::BulkMode>(1 + form % 2),
                                      .attempt = 1u + form / 64,
                                      .lane = 1});
    case Kind::kData: {
      const std::uint64_t offset = near(streamed_);
      const Frame part(std::min<std::size_t>(payload.size(), granted_ - streamed_),
                       std::byte{form});
      const bool fits = form < 0xe0;
      if (fits) streamed_ += part.size();
      return test::data(near(cts_), offset, fits ? part : payload);
    }
    case Kind::kWrite:
    case Kind::kAtomic:
      return begin_operation(kind, form, payload);
    case Kind::kPut: {
      const std::uint64_t offset = near(placed_);
      placed_ += payload.size();
      return test::data(near(arriving_), offset, payload);
    }
    case Kind::kRead:
      return test::body_of(proto::Read{
          .id = near(7), .key = near(1), .address = form % 8u, .length = near(payload.size())});
    case Kind::kGot:
      return test::data(near(operation_), near(0), payload);
    case Kind::kDone:
      return test::body_of(proto::Done{near(operation_), form < 0x80 ? 0u : form});
    case Kind::kFin:
      return test::body_of(proto::Fin{near(rts_), form < 0x80 ? 0u : form});
    case Kind::kSent:
      return test::body_of(proto::Sent{near(cts_), attempt_, form < 0x80 ? 0u : form});
    case Kind::kPing:
      return test::body_of(proto::Ping{
          .sender = peer_.life, .home = peer_.home, .lane = form, .answer = peer_.home});
    case Kind::kGoodbye:
      return test::body_of(proto::Goodbye{near(peer_.ack)});
    case Kind::kAck:
      return {};
    default:
      break;
  }
  Frame bytes(form % 64);
  for (std::byte& byte : bytes) byte = std::byte{script_.next()};
  return bytes;
}

// The first frame of a write or an atomic: all of it, or a part.
Frame World::begin_operation(Kind kind, std::uint8_t form, const Frame& payload) {
  arriving_ = form;
  placed_ = payload.size();
  const auto length = static_cast<std::uint32_t>(near(form < 0x80 ? payload.size() : kShown));
  Frame body =
      kind == Kind::kWrite
          ? test::body_of(proto::Write{
                .id = arriving_, .key = near(1), .address = form % 8u, .length = length, .data = 1})
          : test::body_of(proto::Atomic{.id = arriving_,
                                        .key = near(1),
                                        .address = form % 8u,
                                        .operation = script_.next(),
                                        .datatype = script_.next(),
                                        .form = static_cast<proto::AtomicForm>(1 + form % 3),
                                        .count = length / 8,
                                        .length = length});
  body.insert(body.end(), payload.begin(), payload.end());
  return body;
}

// It may have been closed and opened again.
test::ScriptedEndpoint* World::home() const {
  const auto found =
      std::ranges::find_if(inner_.endpoints, [&](const test::ScriptedEndpoint* each) {
        return each && each->name() == endpoint_->name();
      });
  return found == inner_.endpoints.end() ? nullptr : *found;
}

void World::hear(const Frame& frame) {
  test::ScriptedEndpoint* const home = this->home();
  // The inner provider keeps what is longer than we take from us.
  const std::size_t longest = config_.eager + proto::kPrefixSize + proto::kEnvelopeSize;
  if (!home || home->receives() == 0 || frame.size() > longest) return;
  shown_.frame(frame);
  home->arrives(frame);
  endpoint_->before_sleep();  // so that the fabric is looked at
  pass(0);
}

// What we have said to the peer meanwhile.
void World::listen() {
  for (const test::Handed& each : inner_.take()) {
    if (each.tagged) continue;
    const auto frame = proto::decode_frame(each.bytes);
    require(frame.has_value());
    const Kind kind = frame->prefix.kind;
    next_ = std::max(next_, frame->prefix.ack);
    if (kind == Kind::kAck && frame->prefix.seq != 0) echo_ = frame->prefix.seq;
    if (kind == Kind::kPing) pinged_ = frame->prefix.seq;
    // What it has sent came to nothing: it begins again.
    if (kind == Kind::kLeft || (frame->prefix.flags & proto::kGap) != 0) peer_.seq = next_;
    if (proto::is_sequenced(kind) && frame->prefix.seq == peer_.ack) ++peer_.ack;
    learn(kind, frame->body);
  }
}

void World::learn(Kind kind, util::Bytes body) {
  if (kind == Kind::kRts) {
    if (const auto rts = proto::decode_rts(body)) rts_ = rts->send_id;
  } else if (kind == Kind::kCts) {
    if (const auto cts = proto::decode_cts(body)) {
      cts_ = cts->receive_id;
      granted_ = cts->length;
      attempt_ = cts->attempt;
      streamed_ = 0;
    }
  } else if (kind == Kind::kWrite || kind == Kind::kRead || kind == Kind::kAtomic) {
    operation_ = util::load<std::uint64_t>(body.data());
  } else if (kind == Kind::kOffer) {
    const auto offer = proto::decode_offer(body);
    require(offer.has_value());
    offered_ = *offer;
    if (peer_.life.high != ~0ull && peer_.own && offer->epoch == peer_.terms.epoch) map();
  }
}

}  // namespace xs::fuzz
