// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Any bytes as the body of a greeting, refusal, reset or ping; their sizes tell them apart.
#include "proto/greeting.hpp"

#include "test/fuzz/round_trip.hpp"

namespace {

using namespace xs;

// What a session may rely on in every greeting that it is handed.
void require_sound(const proto::Greeting& greeting) {
  fuzz::require(static_cast<bool>(greeting.sender));
  fuzz::require(greeting.provider.back() == '\0');
  for (const proto::Address& address : {greeting.home, greeting.answer}) {
    fuzz::require(address.port != 0);
    struct sockaddr_storage sockaddr;
    const std::size_t size = address.to_sockaddr(sockaddr);
    const auto* generic = reinterpret_cast<const struct sockaddr*>(&sockaddr);
    fuzz::require(proto::Address::from_sockaddr(generic, size) == address);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const util::Bytes body = std::as_bytes(std::span(data, size));
  const auto greeting = proto::decode_greeting(body);
  const auto refuse = proto::decode_refuse(body);
  const auto reset = proto::decode_reset(body);
  const auto ping = proto::decode_ping(body);
  fuzz::require_round_trip(greeting, body, proto::kGreetingSize);
  fuzz::require_round_trip(refuse, body, proto::Refuse::kSize);
  fuzz::require_round_trip(reset, body, proto::Reset::kSize);
  fuzz::require_round_trip(ping, body, proto::Ping::kSize);
  if (greeting) require_sound(*greeting);
  if (greeting) fuzz::require(greeting->token != 0);
  if (refuse) require_sound(refuse->greeting);
  return 0;
}
