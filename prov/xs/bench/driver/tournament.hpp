// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <chrono>
#include <iosfwd>
#include <limits>
#include <vector>

#include "driver/options.hpp"
#include "driver/pair.hpp"
#include "report/samples.hpp"

namespace xs::bench {

/// Measures everybody briefly once per size, metric and round, one after the
/// other, so that all of them meet the same moods of the machine.
class Tournament {
 public:
  /// After `limit` no further measurement begins.
  Tournament(const Options& options, const Suite& suite, std::vector<Pair> pairs,
             std::chrono::duration<double> limit, std::ostream& notes);

  Samples play();

 private:
  /// How a pair does at one metric and size.
  struct Pace {
    double best = std::numeric_limits<double>::infinity();  // seconds per turn
    std::uint64_t turns = 1;                                // per measurement
    unsigned misses = 0;                                    // measurements without a result
    bool given_up = false;
  };

  Task task_of(Metric metric, std::size_t size, std::uint64_t turns) const;
  void learn(Pace& pace, const Timing& timing) const;
  void find_pace(std::size_t pair, Metric metric, std::size_t size);
  void measure(std::size_t pair, Metric metric, std::size_t size, std::size_t round);
  Outcome run(std::size_t pair, Metric metric, std::size_t size, std::uint64_t turns);
  void give_up(std::size_t pair, Metric metric, std::size_t size, const Outcome& outcome);
  void restart(std::size_t pair);
  Pace& pace(std::size_t pair, Metric metric, std::size_t size);
  template <class Action>
  void for_each_cell(std::size_t round, Action action);

  bool time_is_up() const { return Clock::now() >= end_; }

  using Clock = std::chrono::steady_clock;

  const Options& options_;
  const Suite& suite_;
  std::vector<Pair> pairs_;
  std::ostream& notes_;
  Samples samples_;
  std::vector<Grid<Pace>> paces_;
  std::vector<unsigned> restarts_;
  Clock::time_point end_;
};

}  // namespace xs::bench
