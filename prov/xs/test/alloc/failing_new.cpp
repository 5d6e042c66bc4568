// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "alloc/failing_new.hpp"

#include <cstdlib>
#include <new>

namespace xs::test {

namespace {

bool armed = false;
bool has_failed = false;
bool starving = false;
std::size_t left = 0;
std::size_t calls = 0;

bool must_fail() noexcept {
  if (!armed || has_failed) return false;
  if (left > 0) {
    --left;
    return false;
  }
  has_failed = true;
  return true;
}

}  // namespace

void fail_new(std::size_t nth) noexcept {
  left = nth;
  has_failed = false;
  armed = true;
}

void starve() noexcept {
  has_failed = false;
  starving = true;
}

bool end_failing() noexcept {
  armed = starving = false;
  return has_failed;
}

std::size_t news() noexcept { return calls; }

static bool starves() noexcept { return starving && (has_failed = true); }

static void* allocate(std::size_t size) noexcept {
  ++calls;
  return must_fail() ? nullptr : std::malloc(size > 0 ? size : 1);
}

}  // namespace xs::test

void* operator new(std::size_t size) {
  if (void* at = xs::test::allocate(size)) return at;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return xs::test::starves() ? nullptr : xs::test::allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& quietly) noexcept {
  return operator new(size, quietly);
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
