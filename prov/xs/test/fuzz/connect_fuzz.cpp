// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint that listens, asks, answers or is connected, and strangers under valid tokens who lie
// about connections: what stands in prov/xs/src/core/{gatekeeper,connection,listener}.cpp.
#include <gtest/gtest.h>

#include "fuzz/connect/world.hpp"

// The scripted network checks what it is used for by gtest.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xs::fuzz::ConnectWorld world(std::as_bytes(std::span(data, size)));
  while (!world.over()) world.act();
  world.goes_on();
  return 0;
}
