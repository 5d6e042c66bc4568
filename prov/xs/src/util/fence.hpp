// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <atomic>

namespace xs::util {

// Orders every plain load before it ahead of every load after it, and keeps the compiler from
// reading again what was copied: for the look at a stamp after its payload was copied out of memory
// that another may change (docs/ring.md §8, number 4). The one stand-alone fence of the
// processor's there is.
inline void fence_after_copy() noexcept {
#if defined(__SANITIZE_THREAD__)
  // ThreadSanitizer knows no fences and runs where loads stay in order: the compiler's part is
  // enough.
  std::atomic_signal_fence(std::memory_order_acquire);
#else
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
}

}  // namespace xs::util
