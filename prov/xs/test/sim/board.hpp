// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory that one simulated process shows to all, and what must stand there.
#pragma once
#include <cstdint>
#include <set>
#include <vector>

#include "core/memory.hpp"
#include "sim/arena.hpp"
#include "sim/judge.hpp"
#include "sim/ledger.hpp"

namespace xs::sim {

// A number to which everybody adds one, and slots, each of which one initiator writes and reads.
class Board {
 public:
  static constexpr std::size_t kSlots = 8;
  static constexpr std::size_t kSlotSize = 6000;  // bytes
  static constexpr std::size_t kNumberAt = 0;     // address of the number

  // What its owner knows of a slot.
  struct Slot {
    const Life* owner = nullptr;
    std::vector<std::byte> stands;  // what stands there once all writes under way are done
    unsigned writes = 0;            // under way
    unsigned reads = 0;
    bool unknown = false;  // an operation came to nothing, or perhaps not
  };

  Board(Arena& arena, Judge& judge, std::uint64_t key);
  // Registered memory, under the key.
  core::Registration registration;
  // Nobody reaches it any more: what stands there is final, and nobody may write there. What was
  // told must have been told now, unless nobody listened to the end.
  void close(bool listened) noexcept;
  bool closed() const noexcept { return closed_; }
  // Its process is about to go: operations may come to nothing.
  void leave() noexcept { leaving_ = true; }
  bool may_refuse() const noexcept { return closed_ || leaving_; }

  // The slot of that life; nullptr: all belong to others.
  Slot* slot_of(const Life& life) noexcept;
  std::uint64_t address_of(const Slot& slot) const noexcept;
  // All writes of the slot have succeeded: they must stand there.
  void check(const Slot& slot) noexcept;

  void adds() noexcept { ++adds_; }
  // One more has succeeded; before: what a fetching one brought.
  void added(const std::uint64_t* before) noexcept;
  // CQ data of a write that is under way, has come, has succeeded.
  void announces(std::uint64_t data) { announced_.insert(data); }
  void told(std::uint64_t data) noexcept;
  void succeeded(std::uint64_t data);

 private:
  std::uint64_t number() const noexcept;

  Arena& arena_;
  Judge& judge_;
  Buffer buffer_;
  std::vector<Slot> slots_{kSlots};
  bool closed_ = false;
  bool leaving_ = false;
  std::uint64_t adds_ = 0;
  std::uint64_t added_ = 0;
  std::set<std::uint64_t> fetched_;
  std::set<std::uint64_t> announced_;
  std::set<std::uint64_t> told_;
  std::set<std::uint64_t> to_be_told_;
};

}  // namespace xs::sim
