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
#include "ring/write_choice.hpp"

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
// 0, and so are the first words of the cells behind that up to cleared_to_, all free; the cells
// that are not free hold the frames after accepted_, and the next place begins behind them.
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
    if (health_ != Health::kFine || (cells >= free_cells() && !has_room_now(cells))) [[unlikely]] {
      return health_ == Health::kFine ? Claimed::kFull : Claimed::kFailed;
    }
    size_ = static_cast<std::uint32_t>(size);
    claimed_ = cells;
    end_ = at_ + cells < cell_count_ ? at_ + cells : at_ + cells - cell_count_;
    if (beyond_cleared(written_ + cells)) clear(word_of(end_));
    return Claimed::kOk;
  }

  // Writes into the claimed frame: offset + bytes.size() <= its size. Stores 3, ordered by commit.
  [[gnu::always_inline]] void put(std::size_t offset, util::Bytes bytes) noexcept {
    const std::size_t at = at_ * kCellSize + kStampSize + offset;
    // By itself, so that a size known to the compiler stays one.
    if (at + bytes.size() <= ring_bytes()) [[likely]]
      return put_whole(cells_ + at, bytes);
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
  [[nodiscard]] bool commit() noexcept {
    const std::uint32_t written = written_ + claimed_;
    if (beyond_cleared(written)) cleared_to_ = written;
    const bool rings = publish(word_of(at_), end_, written, size_);
    if (claimed_ <= kSmallFrame) look_ahead();
    return rings;
  }

  // claim(), put() and commit() of a frame that begins with these words, where nothing stands in
  // the way: no look at what the peer has taken, nothing to clear, no end of the ring. kNo: nothing
  // has happened, and the three may well do it.
  template <class... Words>
  [[gnu::always_inline]] Quick put_quickly(util::Bytes rest, Words... words) noexcept {
    constexpr std::size_t kWords = sizeof...(words) * sizeof(std::uint64_t);
    static_assert(kWords <= kCellSize - kStampSize);
    const std::size_t size = kWords + rest.size();
    const std::uint32_t cells = cells_of(size);
    const std::uint32_t end = at_ + cells, written = written_ + cells;
    if (beyond_cleared(written) || end >= cell_count_ || health_ != Health::kFine) [[unlikely]]
      return Quick::kNo;
    std::uint64_t* const here = word_of(at_);
    std::byte* const to = reinterpret_cast<std::byte*>(here + 1);
    if (!rest.empty()) Memory::put(to + kWords, rest.data(), rest.size());
    put_all_words(to, words...);
    const bool rings = publish(here, end, written, size);
    look_ahead();
    return rings ? Quick::kPutRing : Quick::kPut;
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
  // What Memory::put would have called memcpy for is looked at: no more to do for a small one.
  [[gnu::always_inline]] void put_whole(std::byte* to, util::Bytes bytes) noexcept {
    if (!__builtin_constant_p(bytes.size()) && bytes.size() > util::kCopiedInline)
      return put_long(to, bytes);
    Memory::put(to, bytes.data(), bytes.size());
  }
  [[gnu::noinline]] void put_long(std::byte* to, util::Bytes bytes) noexcept {
    if (bytes.size() < WriteChoice::kLarge) return Memory::put(to, bytes.data(), bytes.size());
    const auto write = [to, bytes](bool past_caches) noexcept {
      if (past_caches) return Memory::put_past_caches(to, bytes.data(), bytes.size());
      Memory::put(to, bytes.data(), bytes.size());
    };
    choice_.write(bytes.size(), write, util::precise_now);
  }
  // What ends behind the last cell, and so goes on in the first.
  [[gnu::noinline]] void put_around(std::size_t at, util::Bytes bytes) noexcept {
    const std::size_t before_end = at < ring_bytes() ? ring_bytes() - at : 0;
    const std::size_t skipped = at < ring_bytes() ? 0 : at - ring_bytes();
    put_whole(cells_ + ring_bytes() - before_end, bytes.first(before_end));
    put_whole(cells_ + skipped, bytes.subspan(before_end));
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
        few_(ahead_ / 2 + ahead_ % 2),
        cell_count_(own.cell_count()),
        tag_(Stamp{.number = 0, .size = 0, .tag = tag_of(own.terms().epoch)}.word()),
        peer_sleeps_(peer.terms().consumer_sleeps) {}

  std::uint64_t* word_of(std::uint32_t cell) const noexcept {
    return reinterpret_cast<std::uint64_t*>(cells_ + cell * kCellSize);
  }
  std::size_t ring_bytes() const noexcept { return cell_count_ * kCellSize; }
  // Store 2: before the stamp of the frame that ends there, and so before the peer looks there. It
  // never sees old payload.
  [[gnu::always_inline]] static void clear(std::uint64_t* word) noexcept {
    Memory::store(word, 0, std::memory_order_relaxed);
  }
  // Cells up to that one, counted since ever, are not all cleared.
  bool beyond_cleared(std::uint32_t written) const noexcept {
    return static_cast<std::int32_t>(written - cleared_to_) > 0;
  }
  // As far as we know; a frame must leave one of them unused.
  std::uint32_t free_cells() const noexcept { return cell_count_ - (written_ - freed_); }

  // The frame from here to the cell `end` has been written as a whole; `written`: cells with it.
  [[gnu::always_inline]] bool publish(std::uint64_t* here, std::uint32_t end, std::uint32_t written,
                                      std::size_t size) noexcept {
    starts_[published_ & mask_] = written_;
    const std::uint64_t number = ++published_;
    at_ = end;
    written_ = written;
    const std::uint64_t stamp = Stamp{.number = static_cast<std::uint32_t>(number),
                                      .size = static_cast<std::uint32_t>(size),
                                      .tag = 0}
                                    .word() |
                                tag_;
    if (!peer_sleeps_) [[likely]] {
      Memory::store(here, stamp, std::memory_order_release);  // store 1
      return false;
    }
    Memory::store(here, stamp, std::memory_order_seq_cst);  // store 6
    return rope_.pulls(health_);
  }
  // After a small frame: keeps the store to a line that the peer may have off the way of the next
  // message, since it can take as long as that.
  [[gnu::always_inline]] void look_ahead() noexcept {
    if (cleared_to_ - written_ < few_) [[unlikely]]
      clear_ahead();
  }
  // Many at a time, and most of them far from where the peer looks, or both would fight for the
  // line. Those that will be next are asked for now.
  [[gnu::noinline]] void clear_ahead() noexcept {
    const std::uint32_t free = free_cells() - 1;  // besides the next place itself
    std::uint32_t ahead = cleared_to_ - written_;
    const std::uint32_t cell = at_ + ahead;
    std::uint64_t* word = word_of(cell < cell_count_ ? cell : cell - cell_count_);
    const auto next_word = [&word, first = word_of(0), end = word_of(cell_count_)] {
      word += kCellSize / sizeof *word;
      return word = word != end ? word : first;
    };
    for (const std::uint32_t most = std::min(ahead_, free); ahead < most; ++ahead)
      clear(next_word());
    cleared_to_ = written_ + ahead;
    for (const std::uint32_t most = std::min(ahead_ + few_, free); ahead < most; ++ahead)
      Memory::expect_store(next_word());
  }

  bool has_room_now(std::uint32_t cells,
                    std::memory_order order = std::memory_order_acquire) noexcept {
    accept(Memory::load(consumed_, order));
    return health_ == Health::kFine && cells < free_cells();
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
      freed_ = count == published_ ? written_ : starts_[count & mask_];
    }
  }

  WriteChoice choice_;
  std::byte* cells_;                         // ours, written by us alone
  const std::uint64_t* consumed_;            // the peer's
  ArmWord<Memory> arm_;                      // ours
  DoorbellRope<Memory> rope_;                // at the peer's
  std::unique_ptr<std::uint32_t[]> starts_;  // where kept frames begin, in cells since ever
  std::size_t mask_;
  std::uint64_t published_ = 0;   // frames
  std::uint64_t accepted_ = 0;    // frames that the peer has taken, as last believed
  std::uint32_t written_ = 0;     // cells since ever, modulo 2^32
  std::uint32_t at_ = 0;          // the cell where the next frame begins
  std::uint32_t size_ = 0;        // bytes of the claimed frame
  std::uint32_t claimed_ = 0;     // the same in cells
  std::uint32_t end_ = 0;         // and the cell behind it
  std::uint32_t cleared_to_ = 0;  // counted likewise: cells behind at_ whose first words are 0
  std::uint32_t ahead_;           // of them, at the most
  std::uint32_t few_;             // when less are left, more are cleared
  std::uint32_t cell_count_;
  std::uint32_t freed_ = 0;  // cells since ever that are free again, as far as we know
  std::uint64_t tag_;        // where it stands in a stamp
  bool peer_sleeps_;
  Health health_ = Health::kFine;
};

using Producer = BasicProducer<SharedMemory>;

}  // namespace xs::ring
