// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The reading end of a ring. docs/ring.md is its contract.
#pragma once
#include <algorithm>
#include <array>
#include <span>

#include "ring/doorbell.hpp"
#include "ring/memory.hpp"
#include "ring/region.hpp"

namespace xs::ring {

enum class Peeked : std::uint8_t {
  kEmpty,   // nothing more: publish() what is owed
  kFrame,   // size() bytes can be copied
  kFailed,  // health() says why
};

// Reads frames from the peer's region; writes into our region how many were taken and whether we
// sleep. Nothing of the peer's memory is handed out, only copies.
//
// One thread at a time. No system call, allocation or lock. Numbers in comments are those of
// docs/ring.md §8.
//
// Invariant: at_ is where frame taken_ + 1 begins; stamp_ was found sound by
// the last peek() that gave kFrame.
template <class Memory>
class BasicConsumer {
 public:
  // Both regions belong to one epoch and outlive the consumer.
  BasicConsumer(const OwnRegion& own, const PeerRegion& peer) noexcept
      : cells_(peer.cells()),
        consumed_(own.word(kConsumedAt)),
        arm_(own.word(kConsumerArmAt)),
        rope_(peer.word(kProducerArmAt)),
        cell_count_(peer.cell_count()),
        largest_(largest_frame(cell_count_)),
        due_(cell_count_ / 4),
        tag_(tag_of(peer.terms().epoch)),
        peer_sleeps_(peer.terms().producer_sleeps) {}

  // Looks for the next frame; a frame that isn't released is found again. Load 1.
  Peeked peek() noexcept { return look(std::memory_order_acquire); }

  // Of the frame that peek() found: 1 to what the peer's region holds.
  std::uint32_t size() const noexcept { return Stamp::from(stamp_).size; }

  // Copies from the frame that peek() found; offset + size <= size(). What was copied may be used
  // for guesses at once, for decisions only after stands(), for good only after release().
  void copy(std::size_t offset, std::byte* to, std::size_t size) const noexcept {
    const std::size_t at = at_ * kCellSize + kStampSize + offset;
    if (at + size <= ring_bytes()) [[likely]]
      return Memory::copy(to, cells_ + at, size);
    copy_around(at, to, size);
  }

  // Copies so many bytes that stand beside the stamp, whatever the size is: what is beyond it is
  // garbage.
  template <std::size_t kBytes>
  void copy_first(std::array<std::byte, kBytes>& to) const noexcept {
    static_assert(kBytes <= kCellSize - kStampSize);
    Memory::copy(to.data(), cells_ + at_ * kCellSize + kStampSize, kBytes);
  }

  // Copies one of the words that stand beside the stamp, likewise.
  template <std::size_t kIndex>
  std::uint64_t copy_word() const noexcept {
    static_assert((kIndex + 1) * sizeof(std::uint64_t) <= kCellSize - kStampSize);
    std::array<std::byte, sizeof(std::uint64_t)> bytes;
    Memory::copy(bytes.data(),
                 cells_ + at_ * kCellSize + kStampSize + kIndex * sizeof(std::uint64_t),
                 bytes.size());
    return util::load<std::uint64_t>(bytes.data());
  }

  // Whether all copies made of this frame so far are of what the peer published. Load 4.
  [[nodiscard]] bool stands() noexcept {
    Memory::settle();
    const std::uint64_t word = Memory::load(word_of(at_), std::memory_order_relaxed);
    if (word == stamp_) [[likely]]
      return health_ == Health::kFine;
    fail(word == kAllOnes ? Health::kLost : Health::kBroken);
    return false;
  }

  // Takes the frame for good, if it still stands; else nothing was taken, and its copies are worth
  // nothing.
  [[nodiscard]] bool release() noexcept {
    if (!stands()) return false;
    const std::uint32_t cells = cells_of(size());
    at_ = at_ + cells < cell_count_ ? at_ + cells : at_ + cells - cell_count_;
    owed_ += cells;
    ++taken_;
    return true;
  }

  // Whether peek() would say kEmpty and publish() has nothing to say: all that most looks find.
  // Nothing follows from the word but another look, so it pairs with nothing.
  bool idle() const noexcept {
    return owed_ == 0 && health_ == Health::kFine &&
           Memory::load(word_of(at_), std::memory_order_relaxed) == 0;
  }

  // Frames as large as the one that peek() found that seems_ahead() can be asked for: a quarter of
  // the ring, so that its writer has room for them.
  std::uint32_t foreseen() const noexcept { return due_ / cells_of(size()); }
  // Whether so many of them seem to stand there. A guess: by the stamp of the one behind them,
  // which pairs with nothing. frames <= foreseen().
  bool seems_ahead(std::uint32_t frames) const noexcept {
    const std::uint32_t to = at_ + cells_of(size()) * frames;
    const std::uint32_t cell = to < cell_count_ ? to : to - cell_count_;
    const Stamp stamp = Stamp::from(Memory::glance(word_of(cell)));
    return stamp.number == static_cast<std::uint32_t>(taken_ + 1 + frames) && stamp.tag == tag_;
  }
  // More frames are there, small ones: a line a few of them further on is asked for meanwhile. The
  // next one's place is known by its size alone, so they would be fetched one after the other.
  void expect_more() const noexcept {
    constexpr std::uint32_t kAhead = 3;  // cells
    if (at_ + kAhead < cell_count_) Memory::expect_load(cells_ + (at_ + kAhead) * kCellSize);
  }

  // Enough was taken to tell the peer of it.
  bool publish_due() const noexcept { return owed_ >= due_; }

  // Something was taken that the peer has not been told of.
  bool owes() const noexcept { return owed_ != 0; }
  // Tells the peer how many frames were taken. To be called when due, and whenever peek() finds
  // nothing. True: the peer's doorbell must be rung.
  [[nodiscard]] bool publish() noexcept {
    if (owed_ == 0) return false;
    owed_ = 0;
    if (!peer_sleeps_) {
      Memory::store(consumed_, taken_, std::memory_order_release);  // store 5
      return false;
    }
    Memory::store(consumed_, taken_, std::memory_order_seq_cst);  // store 8
    return rope_.pulls(health_);
  }

  // Before sleep, after publish(): true if the peer will ring, false if there is something to look
  // at, owed or failed. Only if our terms say that we sleep.
  [[nodiscard]] bool arm() noexcept {
    if (owed_ != 0) return false;
    arm_.arm();                                                          // store 7
    if (look(std::memory_order_seq_cst) == Peeked::kEmpty) return true;  // load 6
    disarm();
    return false;
  }
  void disarm() noexcept { arm_.disarm(); }

  // Frames taken so far: the number of the last one.
  std::uint64_t taken() const noexcept { return taken_; }
  Health health() const noexcept { return health_; }
  std::uint32_t largest() const noexcept { return largest_; }

 private:
  // What ends behind the last cell, and so goes on in the first.
  [[gnu::noinline]] void copy_around(std::size_t at, std::byte* to,
                                     std::size_t size) const noexcept {
    const std::size_t before_end = at < ring_bytes() ? ring_bytes() - at : 0;
    const std::size_t skipped = at < ring_bytes() ? 0 : at - ring_bytes();
    Memory::copy(to, cells_ + ring_bytes() - before_end, before_end);
    Memory::copy(to + before_end, cells_ + skipped, size - before_end);
  }

  const std::uint64_t* word_of(std::uint32_t cell) const noexcept {
    return reinterpret_cast<const std::uint64_t*>(cells_ + cell * kCellSize);
  }
  std::size_t ring_bytes() const noexcept { return cell_count_ * kCellSize; }

  Peeked look(std::memory_order order) noexcept {
    if (health_ != Health::kFine) [[unlikely]]
      return Peeked::kFailed;
    const std::uint64_t word = Memory::load(word_of(at_), order);
    if (word == 0) return Peeked::kEmpty;
    const Stamp stamp = Stamp::from(word);
    const bool next = stamp.number == static_cast<std::uint32_t>(taken_ + 1) && stamp.tag == tag_;
    if (next && stamp.size != 0 && stamp.size <= largest()) [[likely]] {
      stamp_ = word;
      return Peeked::kFrame;
    }
    fail(word == kAllOnes ? Health::kLost : Health::kBroken);
    return Peeked::kFailed;
  }

  void fail(Health why) noexcept {
    if (health_ == Health::kFine) health_ = why;
  }

  const std::byte* cells_;     // the peer's
  std::uint64_t* consumed_;    // ours
  ArmWord<Memory> arm_;        // ours
  DoorbellRope<Memory> rope_;  // at the peer's
  std::uint64_t stamp_ = 0;    // our copy
  std::uint64_t taken_ = 0;    // frames
  std::uint32_t at_ = 0;       // the cell where the next frame begins
  std::uint32_t owed_ = 0;     // cells taken since the last publication
  std::uint32_t cell_count_;
  std::uint32_t largest_;  // bytes of a frame
  std::uint32_t due_;      // cells owed that are worth a publication
  std::uint8_t tag_;
  bool peer_sleeps_;
  Health health_ = Health::kFine;
};

using Consumer = BasicConsumer<SharedMemory>;

}  // namespace xs::ring
