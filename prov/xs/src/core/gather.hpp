// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/types.hpp"
#include "stream/payload.hpp"
#include "util/bytes.hpp"

namespace xs::core {

// A user's buffer in up to kIovLimit pieces. Refers, never owns.
class UserMemory {
 public:
  UserMemory() noexcept = default;
  // iov: at most kIovLimit pieces; the sum of their lengths must not overflow (checked by the
  // caller with sum()).
  explicit UserMemory(std::span<const struct iovec> iov) noexcept : count_(iov.size()) {
    if (count_ == 1) [[likely]] {
      iov_[0] = iov[0];
      size_ = iov[0].iov_len;
      return;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      iov_[i] = iov[i];
      size_ += iov[i].iov_len;
    }
  }
  explicit UserMemory(std::span<std::byte> piece) noexcept : size_(piece.size()), count_(1) {
    iov_[0] = {piece.data(), piece.size()};
  }
  static UserMemory of(void* at, std::size_t size) noexcept;
  // Total bytes; false if there are too many pieces or the sum overflows.
  static bool sum(std::span<const struct iovec> iov, std::size_t& total) noexcept {
    total = iov.size() == 1 ? iov[0].iov_len : 0;
    return iov.size() == 1 || sum_pieces(iov, total);
  }

  std::size_t size() const noexcept { return size_; }
  // Copies out of the pieces; size <= this->size() - offset.
  void copy_to(std::byte* to, std::size_t offset, std::size_t size) const noexcept;
  // Copies into the pieces as far as they reach; returns the bytes copied.
  std::size_t copy_from(util::Bytes from, std::size_t offset) const noexcept;
  // Copies a payload into the pieces from that offset on, as far as they reach; returns the bytes
  // copied, which are worth something after Payload::take() alone.
  std::size_t fill_from(const stream::Payload& payload, std::size_t offset) const noexcept {
    if (count_ != 1 || offset != 0) return fill_pieces(payload, offset);
    const std::size_t wanted = std::min(payload.size(), size_);
    payload.copy(0, static_cast<std::byte*>(iov_[0].iov_base), wanted);
    return wanted;
  }
  // Copies size bytes from that place of `other`, which may overlap, to `offset` here.
  void move_from(const UserMemory& other, std::size_t from, std::size_t offset,
                 std::size_t size) const noexcept;
  // Whether so many bytes fit into the first of the pieces, which begins at first().
  bool takes_whole(std::size_t size) const noexcept {
    return count_ != 0 ? size <= iov_[0].iov_len : size == 0;
  }
  // The longest contiguous run at that offset.
  std::span<std::byte> run(std::size_t offset) const noexcept;
  // The first `size` bytes as pieces; returns their number.
  std::size_t pieces(std::size_t size, std::span<struct iovec, kIovLimit> out) const noexcept;
  // Where the first byte of the first piece is.
  void* first() const noexcept { return count_ ? iov_[0].iov_base : nullptr; }

 private:
  static bool sum_pieces(std::span<const struct iovec> iov, std::size_t& total) noexcept;
  std::size_t fill_pieces(const stream::Payload& payload, std::size_t offset) const noexcept;

  std::size_t size_ = 0;
  std::size_t count_ = 0;
  std::array<struct iovec, kIovLimit> iov_;  // of them count_; the others hold anything
};

}  // namespace xs::core
