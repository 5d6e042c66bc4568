// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/stranger.hpp"

#include <cstring>

namespace xs::test {

using proto::Kind;

namespace {

Frame encode(const proto::Prefix& about, const Frame& body) {
  proto::Prefix prefix = about;
  prefix.length = static_cast<std::uint32_t>(body.size());
  Frame bytes(proto::kPrefixSize);
  proto::encode(prefix, bytes.data());
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

}  // namespace

proto::Greeting Stranger::greeting() const {
  proto::Greeting g;
  g.largest_frame = largest_frame;
  g.window = window;
  g.lane = 1;
  g.sender = life;
  g.token = nonce;
  g.home = g.answer = home;
  g.provider = proto::provider_name("scripted");
  return g;
}

Frame Stranger::greet(Kind kind, const proto::Greeting& body, std::uint64_t token) {
  Frame bytes(proto::kGreetingSize);
  proto::encode(body, bytes.data());
  return encode({.kind = kind, .token = token}, bytes);
}

bool Stranger::read(const std::vector<Handed>& handed) {
  bool found = false;
  for (const Handed& each : handed) {
    const Kind kind = prefix_of(each).kind;
    if (each.to != home || (kind != Kind::kHello && kind != Kind::kWelcome)) continue;
    const auto g = proto::decode_greeting(body_in(each));
    if (!g) continue;
    far_nonce = g->token;
    found = true;
  }
  return found;
}

Frame Stranger::frame(Kind kind, std::uint64_t number, const Frame& body,
                      std::uint8_t flags) const {
  return encode({.kind = kind, .flags = flags, .token = token(), .seq = number, .ack = ack}, body);
}

Frame Stranger::goodbye() const { return body_of(proto::Goodbye{ack}); }

Frame Stranger::ping(std::uint64_t number) const {
  return frame(Kind::kPing, number,
               body_of(proto::Ping{.sender = life, .home = home, .lane = 1, .answer = home}));
}

Frame Stranger::reset(proto::ResetReason reason, std::uint32_t route) const {
  return encode({.kind = Kind::kReset, .token = far_token()},
                body_of(proto::Reset{life, reason, route}));
}

Frame Stranger::refuse(proto::RefuseReason reason) const {
  return encode({.kind = Kind::kRefuse, .token = far_nonce},
                body_of(proto::Refuse{reason, greeting()}));
}

Frame text(const char* characters) {
  const auto* from = reinterpret_cast<const std::byte*>(characters);
  return {from, from + std::strlen(characters)};
}

Frame eager(std::uint64_t tag, const Frame& payload) {
  Frame body(proto::kEnvelopeSize);
  proto::encode(proto::Envelope{tag, 0}, body.data());
  body.insert(body.end(), payload.begin(), payload.end());
  return body;
}

Frame data(std::uint64_t receive_id, std::uint64_t offset, const Frame& payload) {
  Frame body = body_of(proto::DataHead{receive_id, offset});
  body.insert(body.end(), payload.begin(), payload.end());
  return body;
}

std::vector<Handed> of_kind(const std::vector<Handed>& handed, Kind kind) {
  std::vector<Handed> found;
  for (const Handed& each : handed)
    if (!each.tagged && prefix_of(each).kind == kind) found.push_back(each);
  return found;
}

proto::Prefix prefix_of(const Handed& handed) {
  if (handed.tagged || handed.bytes.size() < proto::kPrefixSize) return {};
  const std::byte* from = handed.bytes.data();
  return {.kind = util::load<Kind>(from),
          .flags = util::load<std::uint8_t>(from + 1),
          .length = util::load<std::uint32_t>(from + 4),
          .token = util::load<std::uint64_t>(from + 8),
          .seq = util::load<std::uint64_t>(from + 16),
          .ack = util::load<std::uint64_t>(from + 24)};
}

std::span<const std::byte> body_in(const Handed& handed) {
  return std::span(handed.bytes).subspan(proto::kPrefixSize);
}

}  // namespace xs::test
