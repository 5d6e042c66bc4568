// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the neighbour does beside its memory, as the fuzzer's bytes have it.
#include <algorithm>

#include "fuzz/neighbour/world.hpp"
#include "proto/rma_frame.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using proto::Kind;
using test::Frame;

namespace {

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

void World::hear(const Frame& frame) {
  test::ScriptedEndpoint* const home = home_for(frame);
  if (!home) return;
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
