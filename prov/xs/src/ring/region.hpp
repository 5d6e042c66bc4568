// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The two regions of a pair: one that we write, one that we may only read (docs/ring.md §2).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ring/layout.hpp"
#include "util/bytes.hpp"
#include "util/result.hpp"

namespace xs::ring {

// What the owner of a region declares in its header.
struct Terms {
  std::uint64_t epoch = 0;
  std::array<std::byte, 16> nonce{};
  bool consumer_sleeps = false;  // as consumer of the peer's region, the owner may sleep
  bool producer_sleeps = false;  // as producer of this region
  // Where the owner's memory can be read directly (docs/paths.md section 8), hearsay: its process,
  // and the address of 16 bytes that are the nonce. 0: nowhere.
  std::uint32_t process = 0;
  std::uint64_t witness = 0;
};

// A view of memory that this process owns and writes and the peer maps read-only. Does not own the
// mapping, which outlives it.
class OwnRegion {
 public:
  // Writes the header and clears the rest. To be called before the memory is shared: nothing here
  // is ordered against a reader. EINVAL if `memory` is not aligned to a cell or holds no ring.
  static util::Result<OwnRegion> prepare(std::span<std::byte> memory, const Terms& terms) noexcept;

  std::uint64_t* word(std::size_t at) const noexcept {
    return reinterpret_cast<std::uint64_t*>(base_ + at);
  }
  std::byte* cells() const noexcept { return base_ + kCellsAt; }
  std::uint32_t cell_count() const noexcept { return cell_count_; }
  const Terms& terms() const noexcept { return terms_; }

 private:
  OwnRegion(std::byte* base, std::uint32_t cell_count, const Terms& terms) noexcept
      : base_(base), cell_count_(cell_count), terms_(terms) {}

  std::byte* base_;
  std::uint32_t cell_count_;
  Terms terms_;
};

// A view of a mapping of the peer's region whose header was found sound. Does not own the mapping.
// Everything in it may change, or turn to all ones, at any time.
class PeerRegion {
 public:
  // EINVAL if there is no ring of this epoch, ESTALE if the mapping is lost. Whether the nonce is
  // the right one is for the caller to say.
  static util::Result<PeerRegion> read(util::Bytes mapping, std::uint64_t epoch) noexcept;

  const std::uint64_t* word(std::size_t at) const noexcept {
    return reinterpret_cast<const std::uint64_t*>(base_ + at);
  }
  const std::byte* cells() const noexcept { return base_ + kCellsAt; }
  std::uint32_t cell_count() const noexcept { return cell_count_; }
  const Terms& terms() const noexcept { return terms_; }

 private:
  PeerRegion(const std::byte* base, std::uint32_t cell_count, const Terms& terms) noexcept
      : base_(base), cell_count_(cell_count), terms_(terms) {}

  const std::byte* base_;
  std::uint32_t cell_count_;
  Terms terms_;
};

}  // namespace xs::ring
