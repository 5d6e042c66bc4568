// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The bodies of frames about connections, exactly as docs/wire.md section 10 says.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/limits.hpp"
#include "util/bytes.hpp"

namespace xs::proto {

static_assert(kPrefixSize + kConnectHeadSize + kConnectDataLimit <= kSmallestFrame);

// One attempt to connect, by its client's choice.
struct ConnectionId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const ConnectionId&) const = default;
  explicit operator bool() const noexcept { return high != 0 || low != 0; }
};

struct ConnectFrame {                                     // CONNECT, ANSWER, CONNECTED
  static constexpr std::size_t kSize = kConnectHeadSize;  // without data
  ConnectionId id;
  std::uint32_t status = 0;  // as in Fin
  util::Bytes data;
};

// Writes kSize bytes and the data.
void encode(const ConnectFrame& body, std::byte* to) noexcept;
// data refers to the body.
std::optional<ConnectFrame> decode_connect_frame(util::Bytes body) noexcept;

}  // namespace xs::proto
