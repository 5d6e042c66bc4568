// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Any bytes as a frame: prefix and body.
#include "proto/frame.hpp"

#include "proto/connect_frame.hpp"
#include "proto/greeting.hpp"
#include "proto/rma_frame.hpp"
#include "test/fuzz/round_trip.hpp"

namespace {

using namespace xs;
using proto::Kind;

void decode_body(Kind kind, util::Bytes body) {
  switch (kind) {
    case Kind::kHello:
    case Kind::kWelcome:
      return fuzz::require_round_trip(proto::decode_greeting(body), body, proto::kGreetingSize);
    case Kind::kReset:
      return fuzz::require_round_trip(proto::decode_reset(body), body, proto::Reset::kSize);
    case Kind::kPing:
      return fuzz::require_round_trip(proto::decode_ping(body), body, proto::Ping::kSize);
    case Kind::kRefuse:
      return fuzz::require_round_trip(proto::decode_refuse(body), body, proto::Refuse::kSize);
    case Kind::kEager:
      fuzz::require(proto::decode_envelope(body).has_value());
      return fuzz::require_round_trip(proto::decode_envelope(body), body, proto::kEnvelopeSize);
    case Kind::kRts:
      fuzz::require(proto::decode_rts(body).has_value());
      return fuzz::require_round_trip(proto::decode_rts(body), body, proto::Rts::kSize);
    case Kind::kCts:
      return fuzz::require_round_trip(proto::decode_cts(body), body, proto::Cts::kSize);
    case Kind::kData:
      return fuzz::require_round_trip(proto::decode_data(body), body, proto::DataHead::kSize);
    case Kind::kFin:
      return fuzz::require_round_trip(proto::decode_fin(body), body, proto::Fin::kSize);
    case Kind::kSent:
      return fuzz::require_round_trip(proto::decode_sent(body), body, proto::Sent::kSize);
    case Kind::kWrite:
      return fuzz::require_round_trip(proto::decode_write(body), body, proto::Write::kSize);
    case Kind::kPut:
    case Kind::kGot:
      return fuzz::require_round_trip(proto::decode_part(body), body, proto::PartHead::kSize);
    case Kind::kRead:
      return fuzz::require_round_trip(proto::decode_read(body), body, proto::Read::kSize);
    case Kind::kAtomic:
      return fuzz::require_round_trip(proto::decode_atomic(body), body, proto::Atomic::kSize);
    case Kind::kDone:
      return fuzz::require_round_trip(proto::decode_done(body), body, proto::Done::kSize);
    case Kind::kConnect:
    case Kind::kAnswer:
    case Kind::kConnected:
      return fuzz::require_round_trip(proto::decode_connect_frame(body), body, body.size());
    case Kind::kOffer:
      return fuzz::require_round_trip(proto::decode_offer(body), body, proto::Offer::kSize);
    case Kind::kMapped:
      return fuzz::require_round_trip(proto::decode_mapped(body), body, proto::Mapped::kSize);
    case Kind::kLeft:
      return fuzz::require_round_trip(proto::decode_left(body), body, proto::Left::kSize);
    case Kind::kGoodbye:
      return fuzz::require_round_trip(proto::decode_goodbye(body), body, proto::Goodbye::kSize);
    case Kind::kAck:
      return fuzz::require(body.empty());
  }
  std::abort();  // a kind that decode_frame() must not hand up
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const util::Bytes frame = std::as_bytes(std::span(data, size));
  const auto view = proto::decode_frame(frame);
  if (!view) return 0;
  fuzz::require_round_trip(std::optional(view->prefix), frame, proto::kPrefixSize);
  fuzz::require((view->prefix.flags & ~proto::kAllFlags) == 0);
  fuzz::require(proto::claimed_token(frame) == view->prefix.token);
  fuzz::require(view->body.data() == frame.data() + proto::kPrefixSize);
  fuzz::require(view->body.size() == size - proto::kPrefixSize);
  decode_body(view->prefix.kind, view->body);
  return 0;
}
