// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/mman.h>

#include <new>

#include "procs/failure.hpp"

namespace xs::test {

// An object in memory that all processes forked later share, and that outlives any of them.
template <typename Object>
class Shared {
 public:
  Shared() {
    void* memory = mmap(nullptr, sizeof(Object), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw system_failure("mmap");
    object_ = new (memory) Object{};
  }
  ~Shared() { munmap(object_, sizeof(Object)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  Object& operator*() const { return *object_; }
  Object* operator->() const { return object_; }

 private:
  Object* object_;
};

}  // namespace xs::test
