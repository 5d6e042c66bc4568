// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>

namespace xs::proto {

inline constexpr std::uint16_t kVersionLow = 1;
inline constexpr std::uint16_t kVersionHigh = 1;
inline constexpr std::size_t kPrefixSize = 32;
inline constexpr std::size_t kCardSize = 64;  // of a neighbour, docs/hv.md
inline constexpr std::size_t kGreetingSize = 144 + kCardSize;
inline constexpr std::size_t kAddressSize = 32;
inline constexpr std::size_t kRefuseSize = 8 + kGreetingSize;
inline constexpr std::size_t kResetSize = 24;
inline constexpr std::size_t kPingSize = 24 + 2 * kAddressSize;
inline constexpr std::size_t kEnvelopeSize = 16;       // tag and CQ data, in EAGER and RTS
inline constexpr std::size_t kPayloadHeadSize = 16;    // what stands before other payloads
inline constexpr std::size_t kOperationHeadSize = 40;  // of WRITE and ATOMIC
inline constexpr std::size_t kReadSize = 32;
inline constexpr std::size_t kDoneSize = 16;
inline constexpr std::size_t kConnectHeadSize = 24;  // of CONNECT, ANSWER and CONNECTED
inline constexpr std::size_t kConnectDataLimit = 192;  // bytes of the user's in one of them
inline constexpr std::size_t kProviderNameSize = 24;
inline constexpr std::size_t kShareNameSize = 32;  // docs/hv.md: an offer
// A peer that takes less could not even be sent an RTS or a CTS with room to spare; refused in the
// greeting.
inline constexpr std::uint32_t kSmallestFrame = 256;
inline constexpr std::uint32_t kLargestFrame = 1u << 20;
inline constexpr std::uint32_t kSmallestWindow = 8;
inline constexpr std::uint32_t kLargestWindow = 1u << 14;

}  // namespace xs::proto
