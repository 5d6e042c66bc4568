// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/gather.hpp"

#include <algorithm>
#include <cstring>

namespace xs::core {

UserMemory UserMemory::of(void* at, std::size_t size) noexcept {
  const struct iovec iov { at, size };
  return UserMemory(std::span(&iov, 1));
}

bool UserMemory::sum_pieces(std::span<const struct iovec> iov, std::size_t& total) noexcept {
  if (iov.size() > kIovLimit) return false;
  for (const struct iovec& piece : iov)
    if (__builtin_add_overflow(total, piece.iov_len, &total)) return false;
  return true;
}

void UserMemory::copy_to(std::byte* to, std::size_t offset, std::size_t size) const noexcept {
  while (size > 0) {
    const std::span<std::byte> from = run(offset);
    const std::size_t part = std::min(from.size(), size);
    std::memcpy(to, from.data(), part);
    to += part;
    offset += part;
    size -= part;
  }
}

std::size_t UserMemory::copy_from(util::Bytes from, std::size_t offset) const noexcept {
  const std::size_t wanted = offset < size_ ? std::min(from.size(), size_ - offset) : 0;
  for (std::size_t done = 0; done < wanted;) {
    const std::span<std::byte> to = run(offset + done);
    const std::size_t part = std::min(to.size(), wanted - done);
    std::memcpy(to.data(), from.data() + done, part);
    done += part;
  }
  return wanted;
}

std::size_t UserMemory::fill_pieces(const stream::Payload& payload,
                                    std::size_t offset) const noexcept {
  const std::size_t wanted = offset < size_ ? std::min(payload.size(), size_ - offset) : 0;
  for (std::size_t done = 0; done < wanted;) {
    const std::span<std::byte> to = run(offset + done);
    const std::size_t part = std::min(to.size(), wanted - done);
    payload.copy(done, to.data(), part);
    done += part;
  }
  return wanted;
}

void UserMemory::move_from(const UserMemory& other, std::size_t from, std::size_t offset,
                           std::size_t size) const noexcept {
  for (std::size_t done = 0; done < size;) {
    const std::span<std::byte> to = run(offset + done);
    const std::span<std::byte> source = other.run(from + done);
    const std::size_t part = std::min({to.size(), source.size(), size - done});
    std::memmove(to.data(), source.data(), part);
    done += part;
  }
}

std::span<std::byte> UserMemory::run(std::size_t offset) const noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    if (offset < iov_[i].iov_len)
      return {static_cast<std::byte*>(iov_[i].iov_base) + offset, iov_[i].iov_len - offset};
    offset -= iov_[i].iov_len;
  }
  return {};
}

std::size_t UserMemory::pieces(std::size_t size,
                               std::span<struct iovec, kIovLimit> out) const noexcept {
  std::size_t used = 0;
  for (std::size_t i = 0; i < count_ && size > 0; ++i) {
    const std::size_t part = std::min(size, iov_[i].iov_len);
    if (part == 0) continue;
    out[used++] = {iov_[i].iov_base, part};
    size -= part;
  }
  return used;
}

}  // namespace xs::core
