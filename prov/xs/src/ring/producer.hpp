// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The writing end of a ring. docs/ring.md is its contract.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "ring/doorbell.hpp"
#include "ring/memory.hpp"
#include "ring/region.hpp"

namespace xs::ring {

enum class Claimed : std::uint8_t {
  kOk,
  kFull,    // the peer has yet to take frames
  kFailed,  // health() says why
};

enum class Quick : std::uint8_t {
  kNo,
  kPut,
  kPutRing,  // and the peer's doorbell must be rung
};

// A frame as it stands in the ring: in two pieces if it runs over the end, else `rest` is empty.
struct Kept {
  util::Bytes first;
  util::Bytes rest;
};

// Writes frames into our region; reads from the peer's region how many were taken and whether it
// sleeps. Frames are numbered from 1 on, and stay until the peer has taken them.
//
// One thread at a time. No system call, allocation or lock after make(). Numbers in comments are
// those of docs/ring.md §8.
//
// Invariant: accepted_ <= taken by the peer <= published_; the word where the next frame begins is
// 0, and so are the first words of cleared_ cells behind that, all free; the cells that are not
// free hold the frames after accepted_, and the next place begins behind them.
template <class Memory>
class BasicProducer {
 public:
  // Both regions belong to one epoch and outlive the producer. ENOMEM.
  static util::Result<BasicProducer> make(const OwnRegion& own, const PeerRegion& peer) noexcept {
    const std::size_t slots = std::bit_ceil(std::size_t{own.cell_count()});
    std::unique_ptr<std::uint32_t[]> starts(new (std::nothrow) std::uint32_t[slots]());
    if (!starts) return util::Error{ENOMEM, "no memory for a ring's frames"};
    return BasicProducer(own, peer, std::move(starts), slots - 1);
  }

  // Room for a frame of `size` bytes, 1 to largest(). An older claim is forgotten. Nothing can be
  // seen of the frame before commit().
  Claimed claim(std::size_t size) noexcept {
    const std::uint32_t cells = cells_of(size);
    if (health_ != Health::kFine || (cells >= free_ && !has_room_now(cells))) [[unlikely]] {
      return health_ == Health::kFine ? Claimed::kFull : Claimed::kFailed;
    }
    size_ = static_cast<std::uint32_t>(size);
    claimed_ = cells;
    end_ = at_ + cells < cell_count_ ? at_ + cells : at_ + cells - cell_count_;
    if (cells > cleared_) clear(end_);
    return Claimed::kOk;
  }

  // Writes into the claimed frame: offset + bytes.size() <= its size. Stores 3, ordered by commit.
  [[gnu::always_inline]] void put(std::size_t offset, util::Bytes bytes) noexcept {
    const std::size_t at = at_ * kCellSize + kStampSize + offset;
    // By itself, so that a size known to the compiler stays one.
    if (at + bytes.size() <= ring_bytes()) [[likely]]
      return Memory::put(cells_ + at, bytes.data(), bytes.size());
    put_around(at, bytes);
  }

  // The same for words with which the frame begins, and which stand beside the stamp, never cut.
  template <class... Words>
  void put_words(Words... words) noexcept {
    static_assert(sizeof...(words) * sizeof(std::uint64_t) <= kCellSize - kStampSize);
    put_all_words(cells_ + at_ * kCellSize + kStampSize, words...);
  }

  // Publishes the claimed frame, which has been written as a whole. True: the peer's doorbell must
  // be rung.
  [[nodiscard]] bool commit() noexcept { return publish(at_, claimed_, end_, size_); }

  // claim(), put() and commit() of a frame that begins with these words, where nothing stands in
  // the way: no look at what the peer has taken, nothing to clear, no end of the ring. kNo: nothing
  // has happened, and the three may well do it.
  template <class... Words>
  [[gnu::always_inline]] Quick put_quickly(util::Bytes rest, Words... words) noexcept {
    constexpr std::size_t kWords = sizeof...(words) * sizeof(std::uint64_t);
    static_assert(kWords <= kCellSize - kStampSize);
    const std::size_t size = kWords + rest.size();
    const std::uint32_t cells = cells_of(size);
    const std::uint32_t here = at_;
    if (cells > cleared_ || here + cells >= cell_count_ || health_ != Health::kFine)
      return Quick::kNo;
    std::byte* const to = cells_ + here * kCellSize + kStampSize;
    if (!rest.empty()) Memory::put(to + kWords, rest.data(), rest.size());
    put_all_words(to, words...);
    return publish(here, cells, here + cells, static_cast<std::uint32_t>(size)) ? Quick::kPutRing
                                                                                : Quick::kPut;
  }

  // Looks how many frames the peer has taken (load 5). For who waits for acknowledged().
  Health refresh() noexcept {
    accept(Memory::load(consumed_, std::memory_order_acquire));
    return health_;
  }

  // Before sleep for lack of room for `size` bytes: true if the peer will ring, false if there is
  // no reason to sleep (any more). After either, claim again. Only if our terms say that we sleep.
  [[nodiscard]] bool arm(std::size_t size) noexcept {
    arm_.arm();                                                                 // store 9
    const bool room = has_room_now(cells_of(size), std::memory_order_seq_cst);  // load 8
    if (!room && health_ == Health::kFine) return true;
    disarm();
    return false;
  }
  // Before sleep until frame `number` is taken: true if the peer will ring when it takes any, false
  // if it has taken that one, or the ring has failed.
  [[nodiscard]] bool arm_until(std::uint64_t number) noexcept {
    arm_.arm();                                                  // store 9
    accept(Memory::load(consumed_, std::memory_order_seq_cst));  // load 8
    if (accepted_ < number && health_ == Health::kFine) return true;
    disarm();
    return false;
  }
  void disarm() noexcept { arm_.disarm(); }

  // Frames up to this number were taken for good; those after it, up to published(), are kept.
  std::uint64_t acknowledged() const noexcept { return accepted_; }
  std::uint64_t published() const noexcept { return published_; }

  // A kept frame, in our own pages: for replay over whatever carrier remains. Stands until the
  // refresh(), claim() or arm() that finds it taken. acknowledged() < number <= published().
  Kept kept(std::uint64_t number) const noexcept {
    const std::uint32_t back = written_ - starts_[(number - 1) & mask_];
    const std::uint32_t cell = back <= at_ ? at_ - back : at_ + cell_count_ - back;
    const std::size_t size =
        Stamp::from(Memory::load(word_of(cell), std::memory_order_relaxed)).size;
    const std::byte* from = cells_ + cell * kCellSize + kStampSize;
    const std::size_t first = std::min(size, ring_bytes() - cell * kCellSize - kStampSize);
    return {{from, first}, {cells_, size - first}};
  }

  Health health() const noexcept { return health_; }
  std::uint32_t largest() const noexcept { return largest_frame(cell_count_); }

 private:
  static constexpr std::uint32_t kSmallFrame = 4;  // cells
  static constexpr std::uint32_t kClearedAhead = 16;

  template <class... Words>
  [[gnu::always_inline]] static void put_all_words(std::byte* to, Words... words) noexcept {
    (put_word(std::exchange(to, to + sizeof(std::uint64_t)), words), ...);
  }
  [[gnu::always_inline]] static void put_word(std::byte* to, std::uint64_t word) noexcept {
    std::array<std::byte, sizeof word> bytes;
    util::store(bytes.data(), word);
    Memory::put(to, bytes.data(), bytes.size());
  }
  // What ends behind the last cell, and so goes on in the first.
  [[gnu::noinline]] void put_around(std::size_t at, util::Bytes bytes) noexcept {
    const std::size_t before_end = at < ring_bytes() ? ring_bytes() - at : 0;
    const std::size_t skipped = at < ring_bytes() ? 0 : at - ring_bytes();
    Memory::put(cells_ + ring_bytes() - before_end, bytes.data(), before_end);
    Memory::put(cells_ + skipped, bytes.data() + before_end, bytes.size() - before_end);
  }

  BasicProducer(const OwnRegion& own, const PeerRegion& peer,
                std::unique_ptr<std::uint32_t[]> starts, std::size_t mask) noexcept
      : cells_(own.cells()),
        consumed_(peer.word(kConsumedAt)),
        arm_(own.word(kProducerArmAt)),
        rope_(peer.word(kConsumerArmAt)),
        starts_(std::move(starts)),
        mask_(mask),
        ahead_(std::min(kClearedAhead, own.cell_count() / 4)),
        cell_count_(own.cell_count()),
        tag_(tag_of(own.terms().epoch)),
        peer_sleeps_(peer.terms().consumer_sleeps) {}

  std::uint64_t* word_of(std::uint32_t cell) const noexcept {
    return reinterpret_cast<std::uint64_t*>(cells_ + cell * kCellSize);
  }
  std::size_t ring_bytes() const noexcept { return cell_count_ * kCellSize; }
  // Store 2: before the stamp of the frame that ends there, and so before the peer looks there. It
  // never sees old payload.
  [[gnu::always_inline]] void clear(std::uint32_t cell) noexcept {
    Memory::store(word_of(cell), 0, std::memory_order_relaxed);
  }
  // The frame in the cells from here to end has been written as a whole.
  [[gnu::always_inline]] bool publish(std::uint32_t here, std::uint32_t cells, std::uint32_t end,
                                      std::uint32_t size) noexcept {
    const std::uint64_t number = published_ + 1;
    starts_[published_ & mask_] = written_;
    published_ = number;
    at_ = end;
    written_ += cells;
    free_ -= cells;
    const std::uint64_t stamp =
        Stamp{.number = static_cast<std::uint32_t>(number), .size = size, .tag = tag_}.word();
    bool rings = false;
    if (!peer_sleeps_) {
      Memory::store(word_of(here), stamp, std::memory_order_release);  // store 1
    } else {
      Memory::store(word_of(here), stamp, std::memory_order_seq_cst);  // store 6
      rings = rope_.pulls(health_);
    }
    const std::uint32_t cleared = cells < cleared_ ? cleared_ - cells : 0;
    cleared_ = cells <= kSmallFrame ? clear_ahead(end, cleared) : cleared;
    return rings;
  }
  // Keeps the store to a line that the peer may have off the way of the next message: it can take
  // as long as that. Far from where the peer looks, or both would fight for the line. What stands
  // cleared behind the next place `at` at last.
  [[gnu::always_inline]] std::uint32_t clear_ahead(std::uint32_t at,
                                                   std::uint32_t cleared) noexcept {
    const std::uint32_t most = std::min(ahead_, free_ - 1);  // and the next place itself
    for (; cleared < most; ++cleared) {
      const std::uint32_t cell = at + cleared + 1;
      clear(cell < cell_count_ ? cell : cell - cell_count_);
    }
    return cleared;
  }

  bool has_room_now(std::uint32_t cells,
                    std::memory_order order = std::memory_order_acquire) noexcept {
    accept(Memory::load(consumed_, order));
    return health_ == Health::kFine && cells < free_;
  }

  // A count is on a boundary by its nature: it is sound if it doesn't run backwards or ahead.
  void accept(std::uint64_t count) noexcept {
    if (health_ != Health::kFine || count == accepted_) return;
    if (count == kAllOnes) {
      health_ = Health::kLost;
    } else if (count < accepted_ || count > published_) {
      health_ = Health::kBroken;
    } else {
      accepted_ = count;
      const std::uint32_t freed = count == published_ ? written_ : starts_[count & mask_];
      free_ = cell_count_ - (written_ - freed);
    }
  }

  std::byte* cells_;                         // ours, written by us alone
  const std::uint64_t* consumed_;            // the peer's
  ArmWord<Memory> arm_;                      // ours
  DoorbellRope<Memory> rope_;                // at the peer's
  std::unique_ptr<std::uint32_t[]> starts_;  // where kept frames begin, in cells since ever
  std::size_t mask_;
  std::uint64_t published_ = 0;  // frames
  std::uint64_t accepted_ = 0;   // frames that the peer has taken, as last believed
  std::uint32_t written_ = 0;    // cells since ever, modulo 2^32
  std::uint32_t at_ = 0;         // the cell where the next frame begins
  std::uint32_t size_ = 0;       // bytes of the claimed frame
  std::uint32_t claimed_ = 0;    // the same in cells
  std::uint32_t end_ = 0;        // and the cell behind it
  std::uint32_t cleared_ = 0;    // cells behind at_ whose first words are 0, as at_'s is
  std::uint32_t ahead_;          // of them, at the most
  std::uint32_t cell_count_;
  std::uint32_t free_ = cell_count_;  // as far as we know; a frame must leave one of them unused
  std::uint8_t tag_;
  bool peer_sleeps_;
  Health health_ = Health::kFine;
};

using Producer = BasicProducer<SharedMemory>;

}  // namespace xs::ring
