// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reading another process' memory, where the kernel allows it: docs/paths.md section 8.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xs::carrier {

using WitnessBytes = std::array<std::byte, 16>;

// Bytes of ours that a reader finds in our memory as long as what we announced may be read.
class Witness {
 public:
  explicit Witness(const WitnessBytes& bytes) noexcept : bytes_(bytes) {}
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  std::uint64_t address() const noexcept { return reinterpret_cast<std::uint64_t>(&bytes_); }
  // From now on what is read is not taken for the announced any more.
  void wipe() noexcept;

 private:
  WitnessBytes bytes_;
};

// Where another process' memory may be read, and how to tell that it still is what was announced.
struct ForeignMemory {
  std::uint32_t process = 0;  // 0: nowhere
  std::uint64_t witness = 0;  // address there
  WitnessBytes bytes{};       // that stand there

  // Copies from that address on into `to`, as much as it holds, at most kPieces pieces. True: all
  // of it came, and after that the witness still stood. Blocks for as long as the copy takes.
  bool read(std::uint64_t address, std::span<const struct iovec> to) const noexcept;
  // Whether reading works at all.
  bool answers() const noexcept { return read(0, {}); }

  static constexpr std::size_t kPieces = 16;
};

}  // namespace xs::carrier
