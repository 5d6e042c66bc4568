// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "driver/contestant.hpp"
#include "driver/pair.hpp"

namespace xs::bench {

/// Starts everything that the options ask for, that this machine has and the suite is for.
/// Each contestant that is missing gets one line on `notes` with the reason.
class Lineup {
 public:
  Lineup(const Options& options, const Suite& suite, const Casting& casting,
         const Listener& listener, std::ostream& notes);

  /// Subject, inner, peers of each group, then the floor.
  std::vector<Pair> gather();

 private:
  void gather_providers(Group group);
  void gather_sleepers();
  void gather_idle();
  void gather_mpi();
  enum class Entrance { kIn, kDeclined, kMissing };
  Entrance add(Contestant contestant);

  const Options& options_;
  const Suite& suite_;
  const Casting& casting_;
  const Listener& listener_;
  std::ostream& notes_;
  std::vector<Pair> pairs_;
  std::string inner_;  // of the libfabric at hand, if it takes part
  bool subject_is_there_ = false;
};

}  // namespace xs::bench
