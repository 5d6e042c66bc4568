// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Time in these tests.
#pragma once
#include <chrono>

namespace xs::test {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// How much longer things may take than on an idle machine; sanitized code is slow.
inline constexpr int kPatience = kSanitized ? 4 : 2;

// Longest wait for something that needs no waiting.
inline constexpr auto kSoon = seconds(15) * kPatience;

// True for `xs-procs --full`.
extern bool g_full;
// How long something goes on, by the length of the run.
inline milliseconds by_length(milliseconds quick, milliseconds full) {
  return g_full ? full : quick;
}

}  // namespace xs::test
