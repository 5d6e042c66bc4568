// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint that listens, asks, answers or is connected, and strangers under valid tokens who lie
// about connections: what stands in prov/xs/src/core/{gatekeeper,connection,listener}.cpp.
#include "fuzz/connect/world.hpp"
#include "fuzz/play.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xs::fuzz::play<xs::fuzz::ConnectWorld>(std::as_bytes(std::span(data, size)));
  return 0;
}
