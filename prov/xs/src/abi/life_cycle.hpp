// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The thread that follows the life of this process' VM while the application computes
// (docs/migration.md).
#pragma once
#include "abi/own_thread.hpp"

namespace xs::abi {

struct Domain;

class LifeCycle {
 public:
  // Begins to sleep on `lives` (hv::Backend::life_descriptor()). The domain, whose gate may be
  // visited, outlives it. Throws bad_alloc and std::system_error.
  LifeCycle(Domain& domain, int lives);

 private:
  void run() noexcept;
  void follow() noexcept;
  bool visit() noexcept;
  bool is_told() const noexcept;

  Domain& domain_;
  const int lives_;
  bool in_pause_ = false;  // of the thread: something is still to be given back
  OwnThread thread_;       // last: it begins when all else is there
};

}  // namespace xs::abi
