// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

namespace xs::util {

// Between two looks at memory that another processor is about to write: leaves the core's units to
// its other thread for a moment. No system call.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace xs::util
