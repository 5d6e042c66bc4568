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

// Who reads other processes' memory: the kernel, but in simulations.
class MemoryReader {
 public:
  // By which others name this process, never 0.
  virtual std::uint32_t process() const noexcept = 0;
  // As process_vm_readv(): piece by piece, in their order, as far as they can be read.
  virtual ssize_t read(std::uint32_t process, std::span<const struct iovec> to,
                       std::span<const struct iovec> from) noexcept = 0;

 protected:
  ~MemoryReader() = default;
};
MemoryReader& kernel_reader() noexcept;

// Where another process' memory may be read, and how to tell that it still is what was announced.
struct ForeignMemory {
  std::uint32_t process = 0;  // 0: nowhere
  std::uint64_t witness = 0;  // address there
  WitnessBytes bytes{};       // that stand there
  MemoryReader* reader = &kernel_reader();

  // Copies from that address on into `to`, as much as it holds, at most kPieces pieces. True: all
  // of it came, and after that the witness still stood. Blocks for as long as the copy takes.
  bool read(std::uint64_t address, std::span<const struct iovec> to) const noexcept;
  // Whether reading works at all.
  bool answers() const noexcept { return read(0, {}); }

  static constexpr std::size_t kPieces = 16;
};

}  // namespace xs::carrier
