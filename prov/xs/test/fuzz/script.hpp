// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>

#include "util/bytes.hpp"

namespace xs::fuzz {

// The fuzzer's bytes as a list of decisions: what the peer does next, and what we do. Zeroes
// behind the end.
class Script {
 public:
  explicit Script(util::Bytes bytes) : bytes_(bytes) {}
  bool empty() const { return at_ >= bytes_.size(); }
  std::uint8_t next() { return empty() ? 0 : static_cast<std::uint8_t>(bytes_[at_++]); }
  template <class T>
  T number() {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(T{next()} << 8 * i);
    return value;
  }

 private:
  util::Bytes bytes_;
  std::size_t at_ = 0;
};

}  // namespace xs::fuzz
