// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>

#include "carrier/ring_carrier.hpp"
#include "util/bytes.hpp"

namespace xs::stream {

using carrier::RingConsumer;

// The bytes that a frame carries, where they stand: in private memory, or in a neighbour's, who may
// change them and whose memory may vanish. Copy first, then take(), and only then believe any of
// it. Valid during the call that hands it up.
class Payload {
 public:
  explicit Payload(util::Bytes flat) noexcept : flat_(flat.data()), size_(flat.size()) {}
  // size bytes from that offset on of the frame that the consumer looks at.
  Payload(RingConsumer& ring, std::size_t offset, std::size_t size) noexcept
      : ring_(&ring), offset_(offset), size_(size) {}

  std::size_t size() const noexcept { return size_; }
  // offset + size <= size().
  void copy(std::size_t offset, void* to, std::size_t size) const noexcept {
    if (size == 0) return;
    if (ring_)
      ring_->copy(offset_ + offset, static_cast<std::byte*>(to), size);
    else
      util::copy(static_cast<std::byte*>(to), flat_ + offset, size);
  }
  // In private memory: take() can't say no, and bytes() may be looked at instead of copying them.
  bool settled() const noexcept { return !ring_; }
  util::Bytes bytes() const noexcept { return {flat_, size_}; }
  // Once, after the copies and before anything follows from them. False: they are worth nothing,
  // and nothing may have happened.
  [[nodiscard]] bool take() noexcept { return !ring_ || ring_->release(); }

 private:
  RingConsumer* ring_ = nullptr;
  const std::byte* flat_ = nullptr;
  std::size_t offset_ = 0;
  std::size_t size_;
};

// What became of a frame that was handed up.
enum class Taken : std::uint8_t {
  kYes,
  kLie,       // the peer lies, or memory is exhausted: its session ends
  kVanished,  // Payload::take() said no
};

}  // namespace xs::stream
