// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <atomic>

namespace xs::util {

// Yes or no, for whoever asks without a lock: he learns nothing else by it, and may be a moment
// late.
class Flag {
 public:
  void set(bool value) noexcept { value_.store(value, std::memory_order_relaxed); }
  bool is_set() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> value_{false};
};

}  // namespace xs::util
