// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the user and the visitors do, as the fuzzer's bytes have it.
#include <algorithm>
#include <cerrno>

#include "fuzz/connect/world.hpp"
#include "proto/rma_frame.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using proto::Kind;
using test::Frame;
using State = core::ConnectionState;

namespace {
constexpr std::uint64_t kTags = 3;
constexpr Kind kAnything[] = {Kind::kEager, Kind::kRts,  Kind::kCts,     Kind::kData,
                              Kind::kFin,   Kind::kSent, Kind::kGoodbye, Kind::kWrite,
                              Kind::kPut,   Kind::kRead, Kind::kGot,     Kind::kAtomic,
                              Kind::kDone,  Kind::kPing, Kind::kAck,     Kind::kLeft};
}  // namespace

void ConnectWorld::act() {
  const std::uint8_t what = script_.next();
  switch (what % 12) {
    case 0:
      pass(what < 0x80 ? util::kMillisecond : script_.next() * util::kSecond / 64);
      break;
    case 1:
    case 2:
    case 3:
      use();
      break;
    case 4:
      meet(somebody());
      break;
    case 5:
      greet(somebody(), script_.next());
      break;
    case 6:
    case 7:
    case 8:
      say_connect(somebody());
      break;
    case 9:
      say_letter(somebody());
      break;
    case 10:
      say_anything(somebody());
      break;
    default:
      say_of_session(somebody());
  }
  check();
}

// ---- The user ----

void ConnectWorld::use() {
  const std::uint8_t what = script_.next();
  if (closes_) return;
  if (what >= 0xf8) return begin_to_close();
  if (role_ == Role::kListener) return use_listener(what);
  use_connection(what);
}

void ConnectWorld::begin_to_close() {
  closes_ = true;
  endpoint_->part();
  (void)endpoint_->parted();
}

void ConnectWorld::use_listener(std::uint8_t what) {
  if (what % 5 == 0) {
    listener_.listen();
    listening_ = true;
  } else if (what % 5 == 1) {
    const std::size_t wanted = 1 + what / 5 % 4u;
    if (wanted < offered_.size()) return;
    backlog_ = wanted;
    listener_.set_backlog(wanted);
  } else if (!offered_.empty()) {
    const auto at = offered_.begin() + what / 5 % static_cast<std::ptrdiff_t>(offered_.size());
    core::ConnectRequest* const request = listener_.find(at->number);
    require(request != nullptr && request->number == at->number);
    if (what % 5 == 2) {
      request->taken = true;
      return;
    }
    if (what % 5 == 3)
      listener_.forget(*request);
    else
      listener_.refuse(*request, util::Bytes(shown_).first(what % 32u));
    offered_.erase(at);
  }
}

void ConnectWorld::use_connection(std::uint8_t what) {
  switch (what % 6) {
    case 0:
    case 1:
      return begin();
    case 2:
      (void)receive(what / 6u % kTags, script_.next() * 8u);
      return;
    case 3:
      return operate(false);
    case 4:
      return operate(true);
    default:
      if (what < 0x80 || connection_.state() < State::kConnected) return;
      shut_ = true;
      connection_.shut();
  }
}

void ConnectWorld::begin() {
  const Frame data(script_.next() % (core::kConnectDataLimit + 1), std::byte{0x44});
  if (begun_ || connection_.state() != State::kNew) return;
  begun_ = true;
  begun_at_ = clock_.time;
  const proto::Address& to = visitors_[0].self.home;
  require((role_ == Role::kClient ? connection_.ask(to, data)
                                  : connection_.answer(id_, to, data)) == core::Status::kOk);
}

// ---- Sessions ----

void ConnectWorld::meet(Visitor& visitor) {
  if (!visitor.met) greet(visitor, visitor.self.far_nonce == 0 ? 0 : 2);
  greet(visitor, 3);
}

void ConnectWorld::greet(Visitor& visitor, std::uint8_t form) {
  switch (form % 4) {
    case 0:
      if (marks_ == 0xff) return;
      visitor.to_blame = visitor.to_blame || visitor.met;
      visitor.begin(++marks_);
      visitor.self.far_nonce = 0;
      visitor.met = true;
      return hear(visitor, visitor.self.hello());
    case 1:
      if (visitor.mark == 0) return;
      return hear(visitor, visitor.self.hello());
    case 2:
      if (marks_ == 0xff) return;
      if (visitor.mark == 0) visitor.begin(++marks_);
      visitor.met = true;
      return hear(visitor, visitor.self.welcome());
    default:
      return hear(visitor, visitor.self.frame(Kind::kAck, 0));
  }
}

void ConnectWorld::say_of_session(Visitor& visitor) {
  const std::uint8_t form = script_.next();
  switch (form % 6) {
    case 0:
    case 1:
      return hear(visitor, visitor.self.frame(Kind::kAck, 0));
    case 2:
      return hear(visitor, visitor.self.ping(1 + form));
    case 3:
      visitor.to_blame = true;
      return hear(visitor, visitor.self.reset(form < 0x80 ? proto::ResetReason::kEnded
                                                          : proto::ResetReason::kUnknown,
                                              form / 6u % 3u));
    case 4:
      visitor.to_blame = true;
      return hear(visitor, visitor.self.next(Kind::kGoodbye));
    default:
      hosts_die_ = true;
      inner_.probe_finds =
          form < 0x80 ? carrier::ProbeState::kRefused : carrier::ProbeState::kSilent;
  }
}

// ---- Frames ----

// About connections: mostly what it may be, each of its parts now and then not.
void ConnectWorld::say_connect(Visitor& visitor) {
  constexpr Kind kKinds[] = {Kind::kConnect, Kind::kAnswer, Kind::kConnected};
  const std::uint8_t form = script_.next(), off = script_.next();
  const Kind kind = kKinds[form % 3];
  proto::ConnectFrame frame{
      .id = role_ == Role::kListener ? core::ConnectionId{1, 1 + form / 64u} : id_, .data = {}};
  if ((off & 1) != 0) (form & 0x40 ? frame.id.high : frame.id.low) ^= script_.next();
  if ((form & 0x10) != 0)
    frame.status = form & 0x20 ? ECONNREFUSED : script_.number<std::uint16_t>();
  const Frame data((off & 2) != 0 ? script_.next() : 0u, std::byte{visitor.mark});
  frame.data = data;
  Frame body(proto::ConnectFrame::kSize + data.size());
  encode(frame, body.data());
  if ((off & 4) != 0)
    body[script_.next() % proto::ConnectFrame::kSize] ^= std::byte{script_.next()};
  if ((off & 8) != 0) body.resize(script_.next() % (body.size() + 1));
  const std::uint64_t number = visitor.self.seq + ((off & 0xf0) == 0xf0 ? script_.next() % 4u : 0);
  const auto valid = proto::decode_connect_frame(body);
  const bool in_turn = valid && number == visitor.self.seq && visitor.mark != 0;
  const Kind wanted = role_ == Role::kClient ? Kind::kAnswer : Kind::kConnected;
  const bool right = in_turn && kind == wanted && valid->id == id_ && valid->status == 0 &&
                     (kind == Kind::kAnswer || valid->data.empty());
  // The listener's address may be somebody else's by now.
  const bool from_whom =
      role_ == Role::kClient ? asked_mark_ != 0 && visitor.mark != asked_mark_ : is_asked(visitor);
  if (role_ == Role::kListener)
    visitor.asks = visitor.asks || (in_turn && kind == Kind::kConnect && valid->status == 0);
  else if (right && from_whom && begun_ && !visitor.consents)
    visitor.consents = true;
  else
    visitor.to_blame = true;
  say(visitor, kind, number, body, off >= 0x80 ? proto::kAckNow : 0);
}

void ConnectWorld::say_letter(Visitor& visitor) {
  const std::uint8_t form = script_.next();
  const std::size_t size = std::min<std::size_t>(form < 0x80 ? form : form * 5u, config_.eager);
  // It may have been asked to announce; and who is no peer lies.
  if (&visitor != peer_ || visitor.mark != peer_mark_ || !connected_ ||
      endpoint_->receiver().unexpected_bytes() > config_.unexpected)
    visitor.to_blame = true;
  say(visitor, Kind::kEager, visitor.self.seq,
      test::eager(form % kTags, Frame(size, std::byte{visitor.mark})), proto::kTagged);
}

void ConnectWorld::say_anything(Visitor& visitor) {
  const std::uint8_t form = script_.next();
  const Kind kind = form < 0xf8 ? kAnything[form % std::size(kAnything)] : Kind{script_.next()};
  visitor.to_blame = true;
  counted_ = counted_ || (connected_ && peer_ == &visitor && kind == Kind::kAtomic);
  const std::uint64_t ack = visitor.self.ack;
  if (form >= 0xf0) visitor.self.ack += script_.next() % 4u - 1;
  const std::uint8_t flags = script_.next() & proto::kAllFlags;
  say(visitor, kind, visitor.self.seq, body_of(visitor, kind), flags);
  visitor.self.ack = ack;
}

// Words that are mostly small numbers.
Frame ConnectWorld::words(std::size_t count) {
  Frame bytes(count * 8);
  for (std::size_t at = 0; at < count; ++at) bytes[at * 8] = std::byte{script_.next()};
  return bytes;
}

// Payload is the visitor's mark.
Frame ConnectWorld::body_of(const Visitor& visitor, Kind kind) {
  std::size_t head = 0, payload = 0;
  switch (kind) {
    case Kind::kEager:
      head = 2, payload = script_.next();
      break;
    case Kind::kRts:
      head = 5;
      break;
    case Kind::kCts:
      head = 6;
      break;
    case Kind::kFin:
    case Kind::kSent:
    case Kind::kDone:
      head = 2;
      break;
    case Kind::kData:
    case Kind::kPut:
    case Kind::kGot:
      head = 2, payload = script_.next();
      break;
    case Kind::kWrite:
    case Kind::kAtomic:
      head = 5, payload = script_.next();
      break;
    case Kind::kRead:
      head = 4;
      break;
    case Kind::kGoodbye:
      return test::body_of(proto::Goodbye{visitor.self.ack + script_.next() % 3u});
    case Kind::kPing:
      return test::body_of(proto::Ping{.sender = visitor.self.life,
                                       .home = visitor.self.home,
                                       .lane = script_.next(),
                                       .answer = visitor.self.home});
    case Kind::kLeft:
      head = 2;
      break;
    case Kind::kAck:
      return {};
    default:
      head = script_.next() % 8u;
  }
  Frame bytes = words(head);
  bytes.resize(bytes.size() + payload, std::byte{visitor.mark});
  return bytes;
}

void ConnectWorld::say(Visitor& visitor, Kind kind, std::uint64_t number, const Frame& body,
                       std::uint8_t flags) {
  const bool in_turn = proto::is_sequenced(kind) && number == visitor.self.seq;
  const Frame bytes = visitor.self.frame(kind, number, body, flags);
  if (in_turn) ++visitor.self.seq;
  hear(visitor, bytes);
}

// ---- The network ----

void ConnectWorld::hear(Visitor& visitor, const Frame& frame) {
  test::ScriptedEndpoint* const home = home_for(frame);
  if (!home) return;
  home->arrives(frame);
  speaks_ = &visitor;
  pass(0);
  speaks_ = nullptr;
}

// What was said to the visitors meanwhile.
void ConnectWorld::listen() {
  for (const test::Handed& each : inner_.take()) {
    const auto visitor = std::ranges::find_if(
        visitors_, [&](const Visitor& any) { return any.self.home == each.to; });
    if (each.tagged || visitor == std::end(visitors_)) continue;
    const auto frame = proto::decode_frame(each.bytes);
    require(frame.has_value());
    const Kind kind = frame->prefix.kind;
    (void)visitor->self.read({each});
    if (frame->prefix.token != visitor->self.far_token()) continue;
    if (&*visitor == speaks_) {
      next_ = frame->prefix.ack;
      if (kind == Kind::kAck && frame->prefix.seq != 0) echo_ = frame->prefix.seq;
    }
    // What it has said came to nothing: it begins again there.
    if ((frame->prefix.flags & proto::kGap) != 0) visitor->self.seq = frame->prefix.ack;
    if (proto::is_sequenced(kind) && frame->prefix.seq == visitor->self.ack) ++visitor->self.ack;
    if (kind != Kind::kConnect) continue;
    const auto asked = proto::decode_connect_frame(frame->body);
    require(asked && is_asked(*visitor) && asked->status == 0);
    id_ = asked->id;
    asked_mark_ = visitor->mark;
  }
}

}  // namespace xs::fuzz
