// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The thread that follows the life of this process' VM while the application computes
// (docs/migration.md).
#pragma once
#include <thread>

#include "abi/wait.hpp"

namespace xs::abi {

struct Domain;

class LifeCycle {
 public:
  // Begins to sleep on `lives` (hv::Backend::life_descriptor()). The domain, whose gate may be
  // visited, outlives it. Throws bad_alloc and std::system_error.
  LifeCycle(Domain& domain, int lives);
  ~LifeCycle();
  LifeCycle(const LifeCycle&) = delete;
  LifeCycle& operator=(const LifeCycle&) = delete;

  // Of this process: libfabric goes, and our code with it, whatever is still open.
  static void end_all() noexcept;

 private:
  void end() noexcept;
  void run() noexcept;
  void follow() noexcept;
  bool visit() noexcept;
  bool is_told() const noexcept;
  bool ends_within(int milliseconds) const noexcept;

  Domain& domain_;
  const int lives_;
  Bell end_;
  const int process_;  // whose thread it is: a forked child has none
  std::thread thread_;
  bool in_pause_ = false;      // of the thread: something is still to be given back
  LifeCycle* next_ = nullptr;  // of those that end_all() ends
};

}  // namespace xs::abi
