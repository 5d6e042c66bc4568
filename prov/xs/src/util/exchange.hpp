// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "util/bytes.hpp"

namespace xs::util {

namespace detail {

template <std::size_t kSize>
struct WordOf;
template <>
struct WordOf<1> {
  using Type [[gnu::may_alias]] = std::uint8_t;
};
template <>
struct WordOf<2> {
  using Type [[gnu::may_alias]] = std::uint16_t;
};
template <>
struct WordOf<4> {
  using Type [[gnu::may_alias]] = std::uint32_t;
};
template <>
struct WordOf<8> {
  using Type [[gnu::may_alias]] = std::uint64_t;
};

template <class T>
T look_at_word(const std::byte* at) noexcept {
  using Word = typename WordOf<sizeof(T)>::Type;
  const Word seen = __atomic_load_n(reinterpret_cast<const Word*>(at), __ATOMIC_SEQ_CST);
  return load<T>(reinterpret_cast<const std::byte*>(&seen));
}

template <class T, class Next>
T exchange_word(std::byte* at, const Next& next) noexcept {
  using Word = typename WordOf<sizeof(T)>::Type;
  auto* const word = reinterpret_cast<Word*>(at);
  Word seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
  for (;;) {
    const T have = load<T>(reinterpret_cast<const std::byte*>(&seen));
    const T then = next(have);
    Word wanted;
    std::memcpy(&wanted, &then, sizeof wanted);
    if (__atomic_compare_exchange_n(word, &seen, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      return have;
  }
}

template <class T>
bool aligned(const std::byte* at) noexcept {
  return reinterpret_cast<std::uintptr_t>(at) % sizeof(T) == 0;
}

}  // namespace detail

// What stands there, as exchange() would return it. Nothing is written: nobody may be allowed to.
template <class T>
T look_at(const std::byte* at) noexcept {
  if constexpr (sizeof(T) <= 8)
    if (detail::aligned<T>(at)) return detail::look_at_word<T>(at);
  return load<T>(at);
}

// Puts next(what stands there) in its place, and returns what stood there. To other threads that
// happens at once, if T has at most eight bytes and stands where its size divides the address; any
// type may stand there to them. next may be called more than once.
template <class T, class Next>
T exchange(std::byte* at, const Next& next) noexcept {
  if constexpr (sizeof(T) <= 8)
    if (detail::aligned<T>(at)) return detail::exchange_word<T>(at, next);
  const T have = load<T>(at);
  const T then = next(have);
  store(at, then);
  return have;
}

}  // namespace xs::util
