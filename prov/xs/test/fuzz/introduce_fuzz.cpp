// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/local, and peers on its Unix sockets who lie: in messages, with descriptors, in the heads of
// what they share, and in offers.
#include "fuzz/introduce/world.hpp"
#include "fuzz/play.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xs::fuzz::play<xs::fuzz::IntroduceWorld>(std::as_bytes(std::span(data, size)));
  return 0;
}
