// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A whole endpoint whose neighbour lies in its ring and about it: what stands above
// prov/xs/src/ring.
#include <gtest/gtest.h>

#include "fuzz/neighbour/world.hpp"

// The scripted peer and network check what they are used for by gtest.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xs::fuzz::World world(std::as_bytes(std::span(data, size)));
  while (!world.over()) world.act();
  world.goes_on();
  return 0;
}
