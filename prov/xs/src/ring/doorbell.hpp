// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The two ends of an arm word (docs/ring.md §7): who may sleep, and who has to wake it.
#pragma once
#include <atomic>
#include <cstdint>

#include "ring/layout.hpp"

namespace xs::ring {

// The sleeper's end. Odd while it may be asleep; another odd value each time.
template <class Memory>
class ArmWord {
 public:
  explicit ArmWord(std::uint64_t* word) noexcept : word_(word) {}

  // Pairs with DoorbellRope::pulls: the caller's next look is seq_cst, too.
  void arm() noexcept {
    value_ += 1 + (value_ & 1);
    Memory::store(word_, value_, std::memory_order_seq_cst);
  }
  // Relaxed: seen late, it costs the peer a needless ring.
  void disarm() noexcept {
    if ((value_ & 1) == 0) return;
    Memory::store(word_, ++value_, std::memory_order_relaxed);
  }

 private:
  std::uint64_t* word_;
  std::uint64_t value_ = 0;
};

// The waker's end: pulled once per arming.
template <class Memory>
class DoorbellRope {
 public:
  explicit DoorbellRope(const std::uint64_t* word) noexcept : word_(word) {}

  // Whether the sleeper must be rung for. The caller has published before, seq_cst; pairs with
  // ArmWord::arm. `health` that was fine becomes kLost if the word can't be the peer's any more.
  bool pulls(Health& health) noexcept {
    const std::uint64_t value = Memory::load(word_, std::memory_order_seq_cst);
    if (value == kAllOnes) {
      if (health == Health::kFine) health = Health::kLost;
      return false;
    }
    if ((value & 1) == 0 || value == rung_) return false;
    rung_ = value;
    return true;
  }

 private:
  const std::uint64_t* word_;
  std::uint64_t rung_ = 0;  // the arming that was last rung for
};

}  // namespace xs::ring
