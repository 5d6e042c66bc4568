// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-procs [--full]: real processes over real TCP, on hosts (network namespaces) of their own.
// Needs root. --full: the long forms. XS_PROCS_HOLD=SECONDS: a hang is held that long for a
// debugger before it fails its case. XS_PROCS_SEED: the seed that the cases with shared address
// vectors print, to repeat theirs.
#include <gtest/gtest.h>

#include <cstring>
#include <iostream>

#include "procs/limits.hpp"

namespace xs::test {
bool g_full = false;
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--full") != 0) {
      std::cerr << "usage: xs-procs [--full] [gtest's options]\n";
      return 2;
    }
    xs::test::g_full = true;
  }
  return RUN_ALL_TESTS();
}
