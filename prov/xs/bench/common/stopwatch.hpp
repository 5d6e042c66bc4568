// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "common/statistics.hpp"
#include "common/workload.hpp"

namespace xs::bench {

/// Seconds per turn of one measurement.
struct Timing {
  double median = 0;  ///< of the slices: without the moments when somebody else had the CPU
  double mean = 0;    ///< of all counted turns
  double first = 0;   ///< Metric::kFirst alone: of the very first turn, in which the peers meet
  double change = 0;  ///< and from its beginning until turns are ten times as fast; 0: not seen
};

/// Times the counted turns of a task in some dozens of slices, or in single turns
/// where these are fewer.
class Stopwatch {
 public:
  explicit Stopwatch(const Task& task)
      : task_(task),
        per_slice_(std::max<std::uint64_t>(1, task.turns / kSlices)),
        next_(task.warmup) {
    marks_.reserve(2 * kSlices);
  }

  /// To be called before each turn, by its number, warm-up included.
  void before_turn(std::uint64_t turn) {
    if (turn != next_) return;
    marks_.push_back(Clock::now());
    next_ += per_slice_;
  }

  /// To be called after the last turn; task.turns must not be 0.
  Timing stop() {
    before_turn(task_.warmup + task_.turns);
    const double all = seconds_between(marks_.front(), Clock::now());
    std::vector<double> slices;
    for (std::size_t i = 1; i < marks_.size(); ++i)
      slices.push_back(seconds_between(marks_[i - 1], marks_[i]) / static_cast<double>(per_slice_));
    return {.median = summarize(slices).median, .mean = all / static_cast<double>(task_.turns)};
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::uint64_t kSlices = 32;

  static double seconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  Task task_;
  std::uint64_t per_slice_;
  std::uint64_t next_;  // the turn before which the next slice begins
  std::vector<Clock::time_point> marks_;
};

}  // namespace xs::bench
