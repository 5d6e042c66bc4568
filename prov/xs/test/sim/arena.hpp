// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/dice.hpp"
#include "sim/judge.hpp"

namespace xs::sim {

enum class Use : std::uint8_t { kSend, kReceive };

// A user's buffer in up to four pieces that do not touch.
struct Buffer {
  std::array<struct iovec, 4> pieces{};
  std::size_t count = 0;
  std::size_t size = 0;
  std::size_t block = 0;  // number of the first piece in the arena
  std::span<const struct iovec> iov() const noexcept { return {pieces.data(), count}; }
  std::byte* first() const noexcept { return static_cast<std::byte*>(pieces[0].iov_base); }
};

// All user memory of one run. Every operation has its own; what has ended is poisoned and must
// stay so, and nobody may touch it again.
class Arena {
 public:
  explicit Arena(Judge& judge) noexcept : judge_(judge) {}

  // pieces: at most four.
  Buffer take(std::size_t size, std::size_t pieces, Use use);
  void retire(const Buffer& buffer) noexcept;
  // The inner provider reads or writes there.
  void touched(const void* at, std::size_t size, bool writes) noexcept;
  // Looks at everything that was retired, and at what lies between.
  void inspect() noexcept;

 private:
  struct Block {
    std::byte* at;
    std::size_t size;
    Use use;
    bool live;
  };
  std::byte* allot(std::size_t size);

  Judge& judge_;
  std::size_t used_ = 0;
  std::vector<Block> blocks_;  // ascending addresses
};

}  // namespace xs::sim
