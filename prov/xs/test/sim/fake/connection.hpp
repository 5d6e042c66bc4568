// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One TCP connection between two fake endpoints: what its ends believe, what is on its way.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "carrier/inner.hpp"
#include "sim/fake/network.hpp"

namespace xs::sim {

// Memory of an operation, in at most four pieces.
class Pieces {
 public:
  Pieces() noexcept = default;
  explicit Pieces(std::span<const struct iovec> iov) noexcept;
  std::size_t size() const noexcept { return size_; }
  // Calls f(pointer, bytes) for the pieces of that stretch.
  template <class F>
  void each(std::size_t offset, std::size_t size, F&& f) const;

 private:
  std::array<struct iovec, 4> iov_{};
  std::size_t count_ = 0;
  std::size_t size_ = 0;
};

struct Label {
  bool tagged = false;
  std::uint64_t tag = 0;
  std::size_t total = 0;
};

// A message that its sender has not yet handed to its kernel in full.
struct Outgoing {
  Label label;
  Pieces memory;
  carrier::InnerOperation* operation = nullptr;  // none: injected, from copy
  std::vector<std::byte> copy;
  std::size_t written = 0;
};

// A stretch of a message between the kernels, or unread in the far one.
struct Stretch {
  Nanoseconds arrives;
  Label label;
  std::size_t offset;
  std::vector<std::byte> bytes;
  carrier::InnerOperation* rendezvous = nullptr;  // the send that ends when this was read
  bool last() const noexcept { return offset + bytes.size() == label.total; }
};

struct Receive {
  carrier::InnerOperation* operation = nullptr;
  Pieces memory;
  std::uint64_t tag = 0;
};

enum class EndState : std::uint8_t { kConnecting, kUp, kGone };

struct End {
  FakeEndpoint* endpoint = nullptr;
  proto::Address name;
  ProcessId process = 0;
  EndState state = EndState::kConnecting;
  bool superseded = false;             // only read any more
  std::deque<Outgoing> queue;          // to send
  std::deque<Stretch> arriving;        // to read
  std::size_t unread = 0;              // bytes towards this end that were not read
  Nanoseconds last_arrival = 0;        // order is kept
  Nanoseconds ends_at = util::kNever;  // when this end learns that it is over
  Receive active;                      // the receive that is being filled, if any
};

// Broken: nothing that is written arrives. An end learns of it at its ends_at; if that is never,
// the connection is half open there. Writing into a broken connection brings a reset, unless it is
// dark as well: then only the time-out of its kernel ends it.
struct Connection {
  std::array<End, 2> ends;  // the one that asked, the one that was asked
  bool broken = false;
  bool dark = false;
  bool accepted = false;
  Nanoseconds answered_at = util::kNever;

  bool established() const noexcept {
    return ends[0].state == EndState::kUp && ends[1].state == EndState::kUp && !broken;
  }
};

// ---- What befalls connections ----
enum class Cut : std::uint8_t { kNothing, kSome, kAll };
// Loses what is on its way to that end, from some point on.
void cut(FakeNetwork& network, End& end, Cut how) noexcept;
// Both ends learn of it, soon.
void reset(FakeNetwork& network, Connection& connection) noexcept;
// Only that end learns of it.
void half_open(FakeNetwork& network, Connection& connection, unsigned knowing, bool dark) noexcept;
// No end learns of it, and no packet gets through.
void darken(FakeNetwork& network, Connection& connection) noexcept;
// What is on its way, and what follows it, comes that much later; other connections overtake it.
void slow_down(FakeNetwork& network, Connection& connection, Nanoseconds by) noexcept;

template <class F>
void Pieces::each(std::size_t offset, std::size_t size, F&& f) const {
  for (std::size_t i = 0; i < count_ && size > 0; ++i) {
    if (offset >= iov_[i].iov_len) {
      offset -= iov_[i].iov_len;
      continue;
    }
    const std::size_t part = std::min(size, iov_[i].iov_len - offset);
    f(static_cast<std::byte*>(iov_[i].iov_base) + offset, part);
    size -= part;
    offset = 0;
  }
}

}  // namespace xs::sim
