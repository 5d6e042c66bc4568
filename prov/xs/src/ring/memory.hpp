// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the ring touches shared memory: the only place. Tests and fuzzers put another Memory in its
// stead, one that remembers the order of stores or changes bytes between loads.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "util/bytes.hpp"
#include "util/copy_past_caches.hpp"
#include "util/fence.hpp"

namespace xs::ring {

// Words are 8 bytes, aligned, and accessed as atomics alone while they are words. Which orders meet
// is in docs/ring.md §8.
struct SharedMemory {
  // The const_cast takes nothing back: a lock-free load does not write, and C++20's atomic_ref
  // can't be made of a const word.
  static std::uint64_t load(const std::uint64_t* word, std::memory_order order) noexcept {
    return std::atomic_ref(const_cast<std::uint64_t&>(*word)).load(order);
  }
  static void store(std::uint64_t* word, std::uint64_t value, std::memory_order order) noexcept {
    std::atomic_ref(*word).store(value, order);
  }
  // Bytes of a frame, into the own region.
  [[gnu::always_inline]] static void put(std::byte* to, const std::byte* from,
                                         std::size_t size) noexcept {
    util::copy(to, from, size);
  }
  // The same for many bytes that need not stand in a cache: WriteChoice.
  static void put_past_caches(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    util::copy_past_caches(to, from, size);
  }
  // Bytes of a frame, out of the peer's region.
  [[gnu::always_inline]] static void copy(std::byte* to, const std::byte* from,
                                          std::size_t size) noexcept {
    util::copy(to, from, size);
  }
  // Will be stored to soon: its line, which the peer may have, is fetched meanwhile. Says nothing
  // about memory.
  static void expect_store([[maybe_unused]] const std::uint64_t* word) noexcept {
#if defined(__x86_64__)
    // The builtin asks for a line to be read, unless the processor is named. Those that don't know
    // the instruction do nothing.
    asm volatile("prefetchw %0" : : "m"(*word));
#else
    __builtin_prefetch(word, 1);
#endif
  }
  // A word where bytes of a frame may just be written, or old ones stand: for guesses alone. That
  // is a race with a plain store, by design, so ThreadSanitizer is not to look.
  __attribute__((no_sanitize("thread"))) static std::uint64_t glance(
      const std::uint64_t* word) noexcept {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
  }
  // Will be loaded soon. Says nothing about memory, and may be of any address.
  static void expect_load(const std::byte* at) noexcept { __builtin_prefetch(at); }
  // What was copied was loaded before whatever is loaded from now on.
  static void settle() noexcept { util::fence_after_copy(); }
};
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);

}  // namespace xs::ring
