// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a user may set (FI_XS_... variables); the C face fills it in and has checked every value.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "locality/options.hpp"
#include "proto/limits.hpp"
#include "util/clock.hpp"

namespace xs::core {

// What a frame and a window may be, as docs/wire.md has it.
inline constexpr std::size_t kSmallestEager = proto::kSmallestFrame;  // bytes
inline constexpr std::size_t kLargestEager = 1'000'000;               // bytes
static_assert(kLargestEager + proto::kPrefixSize + proto::kEnvelopeSize <= proto::kLargestFrame);
inline constexpr std::uint32_t kSmallestWindow = proto::kSmallestWindow;  // frames
inline constexpr std::uint32_t kLargestWindow = proto::kLargestWindow;    // frames

inline constexpr std::size_t kSmallestRing = 4096;      // bytes
inline constexpr std::size_t kLargestRing = 16u << 20;  // bytes

struct Config {
  std::string fallback;        // FI_XS_FALLBACK: inner provider by exact name; empty: first usable
  std::string interface;       // FI_XS_IFACE: interface name, address, or address/prefix
  std::size_t eager = 65536;   // FI_XS_EAGER, bytes: largest message sent in one frame
  std::uint32_t window = 256;  // FI_XS_WINDOW, frames that one peer may have unacknowledged towards
                               // us (a power of two)
  // FI_XS_RX_BUFFERS, posted to the inner provider, each one frame. They are filled in turn: few
  // stay in the cache, and without one the inner provider merely leaves bytes in its socket.
  std::size_t receive_buffers = 8;
  std::size_t unexpected =
      256u << 20;  // FI_XS_UNEXPECTED, bytes; above it peers announce payloads only
  util::Nanoseconds quiet = 200 * util::kMillisecond;   // FI_XS_QUIET, ms
  util::Nanoseconds peer_timeout = 60 * util::kSecond;  // FI_XS_PEER_TIMEOUT, s
  // FI_XS_PAUSE_TIMEOUT, s: the same for a peer that was about to be moved or saved
  util::Nanoseconds pause_timeout = 86'400 * util::kSecond;
  util::Nanoseconds linger = 5 * util::kSecond;  // FI_XS_LINGER, ms
  std::size_t ring_size = 65536;                 // FI_XS_RING_SIZE, bytes of a region; 0: no rings
  std::size_t ring_largest = 1u << 20;   // FI_XS_RING_LARGEST, bytes of one for peers that stream
  std::size_t ring_memory = 256u << 20;  // FI_XS_RING_MEMORY, bytes of all regions of a domain
  // FI_XS_DIRECT_READ, bytes: larger messages of neighbours are read out of their memory; 0: none.
  std::size_t direct_read = 12288;
  locality::Options locality;  // FI_XS_XEN, ..._BELL, ..._PAGES, FI_XS_SIM_HOST, docs/hv.md
  std::string stats;  // FI_XS_STATS: path prefix of a per-process report written when an endpoint
                      // closes; empty: none
};

}  // namespace xs::core
