// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/direct_read.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace xs::carrier {

namespace {
// The kernel cuts what is longer than an int can tell.
constexpr std::size_t kLongest = std::size_t{1} << 30;

class KernelReader final : public MemoryReader {
 public:
  std::uint32_t process() const noexcept override { return static_cast<std::uint32_t>(getpid()); }
  ssize_t read(std::uint32_t process, std::span<const struct iovec> to,
               std::span<const struct iovec> from) noexcept override {
    return process_vm_readv(static_cast<pid_t>(process), to.data(), to.size(), from.data(),
                            from.size(), 0);
  }
};
}  // namespace

MemoryReader& kernel_reader() noexcept {
  static constinit KernelReader reader;
  return reader;
}

// A plain store could be left out: nobody of ours reads these bytes.
void Witness::wipe() noexcept {
  for (std::byte& byte : bytes_) *const_cast<volatile std::byte*>(&byte) = std::byte{0};
}

bool ForeignMemory::read(std::uint64_t address, std::span<const struct iovec> to) const noexcept {
  if (process == 0 || to.size() > kPieces) return false;
  std::array<struct iovec, kPieces + 1> local;
  std::size_t size = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    local[i] = to[i];
    size += to[i].iov_len;
  }
  if (size > kLongest) return false;
  WitnessBytes found{};
  local[to.size()] = {found.data(), found.size()};
  // In one call and in this order: if the witness stands at the end, what was read before it was
  // still the sender's to show.
  const std::array<struct iovec, 2> remote{
      {{reinterpret_cast<void*>(address), size}, {reinterpret_cast<void*>(witness), bytes.size()}}};
  const std::size_t skipped = size == 0 ? 1 : 0;
  const ssize_t read = reader->read(process, std::span(local).first(to.size() + 1),
                                    std::span(remote).subspan(skipped));
  return read == static_cast<ssize_t>(size + found.size()) && found == bytes;
}

}  // namespace xs::carrier
