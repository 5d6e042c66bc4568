// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "alloc/counted_locks.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>

namespace xs::test {

namespace {
std::atomic<std::size_t> calls = 0;
}

std::size_t locks() noexcept { return calls; }

static int lock(pthread_mutex_t* mutex) noexcept {
  using Lock = int (*)(pthread_mutex_t*);
  static std::atomic<Lock> next = nullptr;  // no guard: it would lock
  if (!next) next = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  calls.fetch_add(1, std::memory_order_relaxed);
  return next.load()(mutex);
}

}  // namespace xs::test

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept { return xs::test::lock(mutex); }
