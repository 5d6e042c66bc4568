// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The neighbour's own memory, as the kernel would show it: docs/paths.md section 8.
#pragma once
#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "carrier/direct_read.hpp"
#include "fuzz/neighbour/shown.hpp"

namespace xs::fuzz {

class PeerMemory final : public carrier::MemoryReader {
 public:
  static constexpr std::uint32_t kProcess = 5;
  static constexpr std::uint64_t kBegin = 0x10000;  // there its witness stands
  static constexpr std::size_t kSize = 2000;

  explicit PeerMemory(Shown& shown) : shown_(shown) {}
  std::uint32_t process() const noexcept override { return kProcess - 1; }
  ssize_t read(std::uint32_t process, std::span<const struct iovec> to,
               std::span<const struct iovec> from) noexcept override {
    Copy read;
    std::size_t wanted = 0;
    for (const struct iovec& piece : from) wanted += piece.iov_len;
    for (const struct iovec& piece : from) {
      if (process != kProcess) break;
      if (&piece != from.data() && std::exchange(wipes_, false)) wipe();
      if (!take(piece, read)) break;
    }
    const bool stands = read.size() == wanted && std::ranges::equal(last_of(read), nonce_);
    if (stands && from.size() > 1) shown_.bulk(util::Bytes(read).first(wanted - nonce_.size()));
    spread(read, to);
    return read.empty() ? -1 : std::ssize(read);
  }

  // From now on what is announced may be read.
  void show(const carrier::WitnessBytes& nonce) {
    nonce_ = nonce;
    std::ranges::copy(nonce, bytes_.begin());
  }
  // Takes that back, or does so in the middle of the next read, or allows it again; other bytes.
  void change(std::uint8_t form, const carrier::WitnessBytes& nonce) {
    if ((form & 1) != 0) wipe();
    wipes_ = wipes_ || (form & 2) != 0;
    if ((form & 4) != 0) show(nonce);
    if ((form & 8) != 0) std::fill(bytes_.begin() + kWitnessSize, bytes_.end(), std::byte{form});
  }

 private:
  using Copy = std::vector<std::byte>;
  static constexpr std::size_t kWitnessSize = std::tuple_size_v<carrier::WitnessBytes>;

  void wipe() { std::fill_n(bytes_.begin(), kWitnessSize, std::byte{0}); }
  // As much as is there. Whether that was all of it.
  bool take(const struct iovec& piece, Copy& read) const {
    const std::uint64_t at = reinterpret_cast<std::uint64_t>(piece.iov_base) - kBegin;
    if (at >= kSize) return false;
    const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t part = std::min<std::size_t>(piece.iov_len, kSize - at);
    read.insert(read.end(), first, first + static_cast<std::ptrdiff_t>(part));
    return part == piece.iov_len;
  }
  static util::Bytes last_of(const Copy& read) {
    return util::Bytes(read).last(std::min(read.size(), kWitnessSize));
  }
  static void spread(util::Bytes bytes, std::span<const struct iovec> to) {
    for (const struct iovec& piece : to) {
      const std::size_t part = std::min(piece.iov_len, bytes.size());
      std::copy_n(bytes.data(), part, static_cast<std::byte*>(piece.iov_base));
      bytes = bytes.subspan(part);
    }
  }

  Shown& shown_;
  carrier::WitnessBytes nonce_{};
  std::array<std::byte, kSize> bytes_{};
  bool wipes_ = false;  // behind the next payload, before the witness
};

}  // namespace xs::fuzz
