// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>

namespace xs::core {

/// Opaque identity of a peer. `kAnySource` is no peer: a selector with it takes every one.
using SourceId = std::uint64_t;
inline constexpr SourceId kAnySource = ~SourceId{0};

/// What a message is matched by.
struct Envelope {
  SourceId source;  // never kAnySource
  std::uint64_t tag;
};

/// What a receive asks for. Bits set in `ignore` may differ.
struct Selector {
  SourceId source;
  std::uint64_t tag;
  std::uint64_t ignore;

  [[nodiscard]] bool matches(const Envelope& envelope) const noexcept {
    return ((envelope.tag ^ tag) & ~ignore) == 0 &&
           (source == kAnySource || source == envelope.source);
  }
};

}  // namespace xs::core
