// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/greeting.hpp"

#include <algorithm>
#include <cstring>

namespace xs::proto {

namespace {

// An incarnation is one 128-bit number, so its low half comes first.
void store_incarnation(std::byte* to, const Incarnation& value) noexcept {
  util::store(to, value.low);
  util::store(to + 8, value.high);
}

Incarnation load_incarnation(const std::byte* from) noexcept {
  return {.high = util::load<std::uint64_t>(from + 8), .low = util::load<std::uint64_t>(from)};
}

// Zero padded to the end, so that equal names are equal arrays.
bool is_padded(const ProviderName& name) noexcept {
  const auto end = std::find(name.begin(), name.end(), '\0');
  return end != name.end() && std::all_of(end, name.end(), [](char c) { return c == '\0'; });
}

bool is_reason(RefuseReason reason) noexcept {
  return reason >= RefuseReason::kVersion && reason <= RefuseReason::kLimits;
}

bool is_reason(ResetReason reason) noexcept {
  return reason == ResetReason::kUnknown || reason == ResetReason::kEnded;
}

// All of a greeting but its token, which greetings need and refusals lack.
std::optional<Greeting> decode_any_greeting(util::Bytes body) noexcept {
  if (body.size() != kGreetingSize) return std::nullopt;
  const std::byte* from = body.data();
  Greeting greeting;
  greeting.version_low = util::load<std::uint16_t>(from);
  greeting.version_high = util::load<std::uint16_t>(from + 2);
  greeting.largest_frame = util::load<std::uint32_t>(from + 4);
  greeting.window = util::load<std::uint32_t>(from + 8);
  greeting.sender = load_incarnation(from + 16);
  greeting.token = util::load<std::uint64_t>(from + 32);
  greeting.addressee = load_incarnation(from + 40);
  std::memcpy(greeting.provider.data(), from + 120, greeting.provider.size());
  std::memcpy(greeting.card.data(), from + 144, greeting.card.size());
  const std::optional<Address> home = Address::decode(from + 56);
  const std::optional<Address> answer = Address::decode(from + 88);
  if (!home || !answer || !greeting.sender || !is_padded(greeting.provider)) return std::nullopt;
  greeting.lane = util::load<std::uint32_t>(from + 12);
  greeting.home = *home;
  greeting.answer = *answer;
  return greeting;
}

}  // namespace

void encode(const Greeting& body, std::byte* to) noexcept {
  util::store(to, body.version_low);
  util::store(to + 2, body.version_high);
  util::store(to + 4, body.largest_frame);
  util::store(to + 8, body.window);
  util::store(to + 12, body.lane);
  store_incarnation(to + 16, body.sender);
  util::store(to + 32, body.token);
  store_incarnation(to + 40, body.addressee);
  body.home.encode(to + 56);
  body.answer.encode(to + 88);
  std::memcpy(to + 120, body.provider.data(), body.provider.size());
  std::memcpy(to + 144, body.card.data(), body.card.size());
}

void encode(const Refuse& body, std::byte* to) noexcept {
  util::store(to, body.reason);
  util::store<std::uint32_t>(to + 4, 0);
  Greeting greeting = body.greeting;
  greeting.token = 0;
  encode(greeting, to + 8);
}

void encode(const Reset& body, std::byte* to) noexcept {
  store_incarnation(to, body.sender);
  util::store(to + 16, body.reason);
  util::store(to + 20, body.route);
}

void encode(const Ping& body, std::byte* to) noexcept {
  store_incarnation(to, body.sender);
  body.home.encode(to + 16);
  util::store(to + 48, body.lane);
  util::store<std::uint32_t>(to + 52, 0);
  body.answer.encode(to + 56);
}

std::optional<Greeting> decode_greeting(util::Bytes body) noexcept {
  const std::optional<Greeting> greeting = decode_any_greeting(body);
  if (!greeting || greeting->token == 0) return std::nullopt;
  return greeting;
}

std::optional<Refuse> decode_refuse(util::Bytes body) noexcept {
  if (body.size() != Refuse::kSize || util::load<std::uint32_t>(body.data() + 4) != 0)
    return std::nullopt;
  const RefuseReason reason = util::load<RefuseReason>(body.data());
  const std::optional<Greeting> greeting = decode_any_greeting(body.subspan(8));
  if (!is_reason(reason) || !greeting || greeting->token != 0) return std::nullopt;
  return Refuse{reason, *greeting};
}

std::optional<Reset> decode_reset(util::Bytes body) noexcept {
  if (body.size() != Reset::kSize) return std::nullopt;
  const Reset reset{load_incarnation(body.data()), util::load<ResetReason>(body.data() + 16),
                    util::load<std::uint32_t>(body.data() + 20)};
  if (!reset.sender || !is_reason(reset.reason)) return std::nullopt;
  return reset;
}

std::optional<Ping> decode_ping(util::Bytes body) noexcept {
  if (body.size() != Ping::kSize) return std::nullopt;
  const Incarnation sender = load_incarnation(body.data());
  const std::optional<Address> home = Address::decode(body.data() + 16);
  const std::optional<Address> answer = Address::decode(body.data() + 56);
  if (!sender || !home || !answer || util::load<std::uint32_t>(body.data() + 52) != 0)
    return std::nullopt;
  return Ping{sender, *home, util::load<std::uint32_t>(body.data() + 48), *answer};
}

ProviderName provider_name(const char* text) noexcept {
  ProviderName name{};
  std::memcpy(name.data(), text, strnlen(text, name.size() - 1));
  return name;
}

}  // namespace xs::proto
