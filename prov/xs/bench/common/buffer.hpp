// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "common/workload.hpp"

namespace xs::bench {

/// Page-aligned memory for one window of messages, touched once so that no
/// measurement pays for its page faults.
class Buffer {
 public:
  Buffer() : bytes_(static_cast<std::byte*>(operator new(kWindowBytes, kAlignment))) {
    std::memset(bytes_.get(), 0x5a, kWindowBytes);
  }

  /// Where message number `index` of `bytes` bytes lies; indices wrap at the window.
  std::byte* slot(std::size_t index, std::size_t bytes) const {
    return bytes_.get() + index % window_of(bytes, kWindowBytes) * bytes;
  }

 private:
  static constexpr std::align_val_t kAlignment{4096};
  struct Free {
    void operator()(std::byte* bytes) const { operator delete(bytes, kAlignment); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace xs::bench
