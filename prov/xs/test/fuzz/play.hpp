// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a target with a world of its own is run. Included once in each.
#pragma once
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "util/bytes.hpp"

// What tests have scripted checks what it is used for by gtest.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

namespace xs::fuzz {

// While the script lasts; and then everybody is honest.
template <class World>
void play(util::Bytes script) {
  World world(script);
  while (!world.over()) world.act();
  world.goes_on();
}

}  // namespace xs::fuzz
