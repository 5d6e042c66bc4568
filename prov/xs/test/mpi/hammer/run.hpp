// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "watchdog.hpp"

namespace hammer {

/// What one rank has checked and found; all methods from any thread.
class Tally {
 public:
  void checked(std::size_t bytes) {
    ++messages_;
    bytes_ += bytes;
    note_time();
  }

  /// The longest time between two messages since the last call, and starts anew.
  std::chrono::milliseconds take_longest_silence();

  /// Counts one mismatch; the first few are printed, with the rank and phase.
  void mismatch(const std::string& text);

  void start(std::string phase, int rank);

  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t mismatches() const { return mismatches_; }

 private:
  using Clock = std::chrono::steady_clock;
  void note_time();

  std::string phase_;
  std::atomic<Clock::time_point> last_ = Clock::now();
  std::atomic<Clock::duration> longest_ = Clock::duration::zero();
  int rank_ = -1;
  std::atomic<std::uint64_t> messages_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> mismatches_ = 0;
};

/// The test of the test: damages exactly one payload after it was generated and before it is sent.
class Saboteur {
 public:
  void arm() { armed_ = true; }

  /// Flips one bit if armed and there is a byte to flip; any thread.
  void touch(std::span<std::byte> payload);

 private:
  std::atomic<bool> armed_ = false;
};

/// One run of the program on one rank: what all phases share.
struct Run {
  Watchdog& watchdog;
  Tally tally;
  Saboteur saboteur;
  int rank = -1;  ///< in MPI_COMM_WORLD
  int ranks = 0;
  int threads = 0;  ///< 0: not MPI_THREAD_MULTIPLE
};

}  // namespace hammer
