// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where everything in a region stands, exactly as docs/ring.md §2 and §3 say. Offsets and sizes in
// bytes.
#pragma once
#include <cstddef>
#include <cstdint>

namespace xs::ring {

inline constexpr std::size_t kCellSize = 64;
inline constexpr std::size_t kStampSize = 8;
inline constexpr std::size_t kConsumedAt = 64;
inline constexpr std::size_t kConsumerArmAt = 128;
inline constexpr std::size_t kProducerArmAt = 192;
inline constexpr std::size_t kCellsAt = 256;
inline constexpr std::size_t kFewestCells = 2;
inline constexpr std::size_t kMostCells = std::size_t{1} << 18;

// What a lost mapping reads as. Never a valid word of ours.
inline constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};

// Cells of a region of `bytes`; 0 if it holds no ring.
constexpr std::uint32_t cells_in(std::size_t bytes) noexcept {
  if (bytes < kCellsAt + kFewestCells * kCellSize) return 0;
  const std::size_t cells = (bytes - kCellsAt) / kCellSize;
  return cells > kMostCells ? 0 : static_cast<std::uint32_t>(cells);
}

// Cells of a frame of `size` bytes.
constexpr std::uint32_t cells_of(std::size_t size) noexcept {
  return static_cast<std::uint32_t>((kStampSize + size + kCellSize - 1) / kCellSize);
}

// Bytes of the largest frame that `cells` hold: one cell stays unused.
constexpr std::uint32_t largest_frame(std::uint32_t cells) noexcept {
  return static_cast<std::uint32_t>((cells - 1) * kCellSize - kStampSize);
}

// The tag of an epoch in its stamps.
constexpr std::uint8_t tag_of(std::uint64_t epoch) noexcept {
  return static_cast<std::uint8_t>((epoch * 0x9e3779b97f4a7c15) >> 56);
}

// The first word of a frame.
struct Stamp {
  std::uint32_t number;  // of the frame, modulo 2^32
  std::uint32_t size;    // bytes of the frame, below 2^24
  std::uint8_t tag;      // of the epoch

  static constexpr Stamp from(std::uint64_t word) noexcept {
    return {.number = static_cast<std::uint32_t>(word),
            .size = static_cast<std::uint32_t>(word >> 32) & 0xffffff,
            .tag = static_cast<std::uint8_t>(word >> 56)};
  }
  constexpr std::uint64_t word() const noexcept {
    return std::uint64_t{number} | std::uint64_t{size} << 32 | std::uint64_t{tag} << 56;
  }
};
static_assert(largest_frame(kMostCells) < 0xffffff, "no stamp is all ones");

// Whether a side can be used, and why not. Everything but kFine is final.
enum class Health : std::uint8_t {
  kFine,
  kLost,    // the mapping is not the peer's memory any more
  kBroken,  // the peer's memory says what no honest peer writes
};

}  // namespace xs::ring
