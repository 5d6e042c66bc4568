// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// FI_PROGRESS_AUTO: the thread that makes progress while the application does something else
// (docs/waits.md).
#pragma once
#include "abi/own_thread.hpp"
#include "abi/wait.hpp"

namespace xs::abi {

struct Domain;

// It sleeps as a thread in fi_cq_sread does that waits for nothing, and enters the gate, which has
// a lock, whenever there may be something to do.
class AutoProgress {
 public:
  // Inside the gate; the domain has its waits, and outlives it. Throws bad_alloc and
  // std::system_error.
  explicit AutoProgress(Domain& domain);

 private:
  class Nothing final : public Awaited {
   public:
    bool ends(const Sleeper&) const noexcept override { return false; }
    bool has_news() const noexcept override { return false; }
  };

  void run() noexcept;
  bool pass(Sleeper& self) noexcept;
  void sleep() const noexcept;

  Domain& domain_;
  Nothing nothing_;
  QueueWait wait_;
  OwnThread thread_;  // last: it begins when all else is there
};

}  // namespace xs::abi
