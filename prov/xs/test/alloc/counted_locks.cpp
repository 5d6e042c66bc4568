// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "alloc/counted_locks.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>

extern "C" const char __executable_start, etext;  // the linker's: our text

namespace xs::test {

namespace {
std::atomic<std::size_t> calls = 0;
}

std::size_t locks() noexcept { return calls; }

// Who calls: libraries may find ours, too, as a look at the inner provider does.
static bool is_ours(const void* caller) noexcept {
  return caller >= &__executable_start && caller < &etext;
}

static int lock(pthread_mutex_t* mutex, const void* caller) noexcept {
  using Lock = int (*)(pthread_mutex_t*);
  static std::atomic<Lock> next = nullptr;  // no guard: it would lock
  if (!next) next = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (is_ours(caller)) calls.fetch_add(1, std::memory_order_relaxed);
  return next.load()(mutex);
}

}  // namespace xs::test

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  return xs::test::lock(mutex, __builtin_return_address(0));
}
