// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the fuzz targets ask of the codec: whatever decodes, encodes to the same bytes. So no byte
// is ignored, and none has two spellings.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "util/bytes.hpp"

namespace xs::fuzz {

inline void require(bool holds, const char* file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: does not hold\n", file, line);
  std::abort();
}

// `bytes` is what `body` was decoded from, or begins with it; `size` is what its kind takes.
template <class Body>
void require_round_trip(const std::optional<Body>& body, util::Bytes bytes, std::size_t size) {
  if (!body) return;
  require(bytes.size() >= size);
  std::vector<std::byte> again(size, std::byte{0xee});
  encode(*body, again.data());
  require(std::memcmp(again.data(), bytes.data(), size) == 0);
}

}  // namespace xs::fuzz
