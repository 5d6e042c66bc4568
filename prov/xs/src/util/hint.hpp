// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <atomic>

namespace xs::util {

// A flag that any thread may look at and change without a lock, and that pairs with nothing: what
// else is known must not follow from it. Two that take it at once may both have it.
class Hint {
 public:
  void give() noexcept { given_.store(true, std::memory_order_relaxed); }
  bool take() noexcept {
    if (!given_.load(std::memory_order_relaxed)) return false;
    given_.store(false, std::memory_order_relaxed);
    return true;
  }

 private:
  std::atomic<bool> given_{false};
};

}  // namespace xs::util
