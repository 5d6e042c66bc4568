// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hammer {

/// What the command line asks for; the same on every rank.
struct Options {
  std::optional<std::uint64_t> seed;  ///< rank 0 picks one if absent
  int rounds = 4;        ///< of each phase; the variants of a phase repeat every 4 rounds
  int seconds = 0;       ///< repeat all phases, with new seeds, until so much time is over
  std::string file;      ///< and as long as rank 0 sees this file, if it is named
  int threads = 0;       ///< 0: MPI_THREAD_SINGLE; else MPI_THREAD_MULTIPLE and so many threads
  int limit = 60;        ///< seconds after which a phase is taken for hung
  bool corrupt = false;  ///< flip one byte of one payload in each phase: every phase must fail
  std::vector<std::string> phases;  ///< empty: all
};

/// Prints the usage or an error and exits (0 or 2) where the command line doesn't lead to a run.
Options parse_options(int argc, char** argv);

}  // namespace hammer
