// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whether large messages of a neighbour whose memory may be read come faster that way or through
// the ring: docs/paths.md §8.
//
// Read, a message is copied once, by a system call of the receiver, while its sender may do
// something else. Through the ring it is copied twice, by two processors at the same time if both
// are at it. What is faster depends on the machine, on where these processors are, and on whether
// the sender is there at all: so the receiver measures both, and tells the sender, who decides.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "util/clock.hpp"
#include "util/pace.hpp"

namespace xs::core {

// What a receiver advises in FIN: proto::Fin.
struct ReadAdvice {
  bool copy_short = false;   // messages that fit into a frame: by the ring
  bool stream_long = false;  // longer ones: likewise, in pieces
};

// The receiver's part, for one peer.
class ReadPaces {
 public:
  // ---- Messages that fit into a frame ----
  // Whether the next copy out of the ring should be measured: one of eight, and one that comes by
  // itself among reads.
  bool copy_is_due() noexcept { return std::exchange(read_last_, false) || ++copies_ % 8 == 0; }
  void copied(std::size_t bytes, util::Nanoseconds took) noexcept { copied_.add(bytes, took); }
  void read_short(std::size_t bytes, util::Nanoseconds took) noexcept {
    read_last_ = true;
    short_.add(bytes, took);
  }

  // ---- Longer ones ----
  void read_long(std::size_t bytes, util::Nanoseconds took) noexcept { long_.add(bytes, took); }
  // From its CTS, sent at `asked`, to its last byte, at `now`. Several may be asked for at a time,
  // and come one after the other: only the time since the last one came is this one's.
  void streamed(std::size_t bytes, util::Nanoseconds asked, util::Nanoseconds now) noexcept {
    const util::Nanoseconds begin = std::max(asked, streamed_at_);
    streamed_at_ = now;
    if (now >= begin) streamed_.add(bytes, now - begin);
  }

  ReadAdvice advice() const noexcept {
    // The sender's copy is taken to last as long as ours.
    return {.copy_short = copied_.known() && short_.known() && 2 * copied_.value() < short_.value(),
            .stream_long = streamed_.known() && long_.known() && streamed_.value() < long_.value()};
  }

 private:
  util::Pace copied_, short_;
  util::Pace streamed_, long_;
  util::Nanoseconds streamed_at_ = 0;
  std::uint32_t copies_ = 0;
  bool read_last_ = false;
};

// The sender's part, for messages of one kind to one peer: follows the advice, and goes the other
// way now and then, so that the receiver knows what that would come to. More rarely as long as that
// changes nothing.
class ReadChoice {
 public:
  void hear(bool by_ring) noexcept {
    if (by_ring == advised_) return;
    advised_ = by_ring;
    every_ = kAtFirst;
  }
  // Whether the next one goes through the ring, which it does then. Else it is to be read, however
  // often that is asked, until it is announced().
  bool by_ring() noexcept {
    const bool ring = advised_ != (turn_ + 1 >= every_);
    if (ring) take_turn();
    return ring;
  }
  void announced() noexcept { take_turn(); }

 private:
  void take_turn() noexcept {
    if (++turn_ < every_) return;
    turn_ = 0;
    every_ = std::min(2 * every_, kAtLast);
  }

  static constexpr std::uint32_t kAtFirst = 2, kAtLast = 512;
  std::uint32_t turn_ = 0;
  std::uint32_t every_ = kAtFirst;
  bool advised_ = false;
};

}  // namespace xs::core
