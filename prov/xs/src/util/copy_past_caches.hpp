// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace xs::util {

inline constexpr std::size_t kLine = 64;

// memcpy of what another processor will read, and this one not again: whole lines of `to` are
// stored past the caches, so no line has to be fetched from whoever has it before it is written.
// Stores like that are ordered with nothing; here they are before whatever is stored after the
// call.
inline void copy_past_caches(std::byte* to, const std::byte* from, std::size_t size) noexcept {
#if defined(__SSE2__)
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(to) % kLine;
  if (size < before + kLine) {
    std::memcpy(to, from, size);
    return;
  }
  std::memcpy(to, from, before);
  std::size_t at = before;
  for (; size - at >= kLine; at += kLine) {
    const auto* const words = reinterpret_cast<const __m128i_u*>(from + at);
    auto* const line = reinterpret_cast<__m128i*>(to + at);
    const __m128i first = _mm_loadu_si128(words), second = _mm_loadu_si128(words + 1);
    const __m128i third = _mm_loadu_si128(words + 2), fourth = _mm_loadu_si128(words + 3);
    _mm_stream_si128(line, first);
    _mm_stream_si128(line + 1, second);
    _mm_stream_si128(line + 2, third);
    _mm_stream_si128(line + 3, fourth);
  }
  _mm_sfence();
  std::memcpy(to + at, from + at, size - at);
#else
  std::memcpy(to, from, size);
#endif
}

}  // namespace xs::util
