// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A whole endpoint whose neighbour lies in its ring and about it: what stands above
// prov/xs/src/ring.
#include "fuzz/neighbour/world.hpp"
#include "fuzz/play.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xs::fuzz::play<xs::fuzz::World>(std::as_bytes(std::span(data, size)));
  return 0;
}
