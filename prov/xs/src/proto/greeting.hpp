// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// HELLO, WELCOME, REFUSE, RESET and PING bodies: docs/wire.md sections 3 and 4.
#pragma once
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/address.hpp"
#include "proto/limits.hpp"
#include "util/bytes.hpp"

namespace xs::proto {

// 128 random bits that name one life of one endpoint; all zero means unknown.
struct Incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Incarnation&) const = default;
  explicit operator bool() const noexcept { return high != 0 || low != 0; }
};

using ProviderName = std::array<char, kProviderNameSize>;  // zero padded, last byte always zero

// Where the sender's process lives, opaque here; all zero: it shares memory with nobody.
using NeighbourCard = std::array<std::byte, kCardSize>;

struct Greeting {
  std::uint16_t version_low = kVersionLow;
  std::uint16_t version_high = kVersionHigh;
  std::uint32_t largest_frame = 0;
  std::uint32_t window = 0;
  Incarnation sender;
  std::uint64_t token = 0;
  Incarnation addressee;
  std::uint32_t lane = 0;  // number of the lane that it left from
  Address home;            // identity of the endpoint
  Address answer;          // address of that lane
  ProviderName provider{};
  NeighbourCard card{};
};

enum class RefuseReason : std::uint32_t { kVersion = 1, kProvider = 2, kFamily = 3, kLimits = 4 };

struct Refuse {
  static constexpr std::size_t kSize = kRefuseSize;
  RefuseReason reason{};
  Greeting greeting;  // its token stays 0 on the wire: there is no session
};

enum class ResetReason : std::uint32_t { kUnknown = 1, kEnded = 2 };

struct Reset {
  static constexpr std::size_t kSize = kResetSize;
  Incarnation sender;
  ResetReason reason{};
  std::uint32_t route = 0;  // number in the PING or greeting that is answered
};

struct Ping {
  static constexpr std::size_t kSize = kPingSize;
  Incarnation sender;
  Address home;
  std::uint32_t lane = 0;
  Address answer;
};

void encode(const Greeting& body, std::byte* to) noexcept;
void encode(const Refuse& body, std::byte* to) noexcept;
void encode(const Reset& body, std::byte* to) noexcept;
void encode(const Ping& body, std::byte* to) noexcept;
// nullopt: wrong size, a reserved field that is not zero, an address or name that is none, an
// unknown reason, no sender, a token missing (greeting) or given (refusal). Limits and versions are
// not judged here: the session does, so that it can refuse with a reason.
std::optional<Greeting> decode_greeting(util::Bytes body) noexcept;
std::optional<Refuse> decode_refuse(util::Bytes body) noexcept;
std::optional<Reset> decode_reset(util::Bytes body) noexcept;
std::optional<Ping> decode_ping(util::Bytes body) noexcept;

// Cut to what fits before the last zero.
// The token of frames towards the side that offered `theirs` by the side that offered `ours`. Known
// only to who has read both greetings; another pair of greetings gives another token. Never 0.
constexpr std::uint64_t mix_token(std::uint64_t theirs, std::uint64_t ours) noexcept {
  const std::uint64_t token = theirs + std::rotl(ours, 32);
  return token != 0 ? token : 1;
}

ProviderName provider_name(const char* text) noexcept;

}  // namespace xs::proto
