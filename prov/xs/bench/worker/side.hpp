// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <exception>
#include <string>

#include "common/channel.hpp"
#include "common/stopwatch.hpp"
#include "common/workload.hpp"

namespace xs::bench {

/// One of the two processes of a pair: side 0 opens every turn and holds the
/// stopwatch, side 1 answers. One thread. Every function may throw Failure.
class Side {
 public:
  virtual ~Side() = default;

  /// What the other side needs for connect(); opaque to everybody else.
  virtual std::string address() = 0;
  virtual void connect(const std::string& peer) = 0;

  /// Does the task together with the other side, which does it at the same time.
  /// Side 0 returns how long a turn took; side 1's answer is ignored.
  virtual Timing run(const Task& task) = 0;

  /// Called again and again until the other side is through as well.
  virtual void progress() = 0;
};

/// Obeys the driver until it closes the channel. Asleep between measurements.
void serve(const Channel& channel, unsigned side_number, Side& side);

/// Ends this process when the one that started it dies.
void die_with_parent();

/// Tells the driver why this worker is about to exit: kFailed, or kDeclined if it never ran.
void report_failure(const Channel& channel, unsigned side_number, const std::exception& reason);

}  // namespace xs::bench
