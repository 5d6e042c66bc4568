// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/tournament.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "common/failure.hpp"
#include "report/naming.hpp"

namespace xs::bench {
namespace {

constexpr unsigned kMaxMisses = 3;    // per cell
constexpr unsigned kMaxRestarts = 8;  // per pair
constexpr std::uint64_t kMaxTurns = 1 << 18;

std::vector<Entry> entries_of(const std::vector<Pair>& pairs) {
  std::vector<Entry> entries;
  for (const Pair& pair : pairs) entries.push_back(pair.entry());
  return entries;
}

}  // namespace

Tournament::Tournament(const Options& options, const Suite& suite, std::vector<Pair> pairs,
                       std::chrono::duration<double> limit, std::ostream& notes)
    : options_(options),
      suite_(suite),
      pairs_(std::move(pairs)),
      notes_(notes),
      samples_(suite, entries_of(pairs_), options.rounds),
      paces_(pairs_.size(), Grid<Pace>(suite)),
      restarts_(pairs_.size()),
      end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(limit)) {
  // There is no such thing as a copy of nothing.
  for (std::size_t pair = 0; pair < pairs_.size(); ++pair)
    if (pairs_[pair].entry().role == Role::kFloor) pace(pair, Metric::kStream, 0).given_up = true;
}

Tournament::Pace& Tournament::pace(std::size_t pair, Metric metric, std::size_t size) {
  return paces_[pair].at(metric, size);
}

// Nobody is always first, and everybody has either neighbour before it equally often.
template <class Action>
void Tournament::for_each_cell(std::size_t round, Action action) {
  const std::size_t count = pairs_.size();
  for (std::size_t size = 0; size < suite_.sizes.size(); ++size)
    for (const Metric metric : suite_.metrics)
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t turned = (round / 2 + i) % count;
        const std::size_t pair = round % 2 == 0 ? turned : count - 1 - turned;
        if (suite_.sizes[size] <= options_.largest && !time_is_up() && pairs_[pair].running() &&
            !pace(pair, metric, size).given_up)
          action(pair, metric, size);
      }
}

Samples Tournament::play() {
  notes_ << "finding the pace of each" << std::endl;
  for_each_cell(0, [this](std::size_t pair, Metric metric, std::size_t size) {
    find_pace(pair, metric, size);
  });
  for (std::size_t round = 0; round < options_.rounds && !time_is_up(); ++round) {
    notes_ << "round " << round + 1 << " of " << options_.rounds << std::endl;
    for_each_cell(round, [this, round](std::size_t pair, Metric metric, std::size_t size) {
      measure(pair, metric, size, round);
    });
  }
  if (time_is_up()) notes_ << "the time is up" << std::endl;
  for (Pair& pair : pairs_) pair.stop();
  return samples_;
}

// The best time seen so far decides: one bad moment mustn't leave a pair with
// measurements of a few turns for the whole run.
void Tournament::learn(Pace& pace, const Timing& timing) const {
  pace.best = std::min(pace.best, timing.median);
  pace.turns = static_cast<std::uint64_t>(
      std::clamp(options_.budget / pace.best, 1.0, static_cast<double>(kMaxTurns)));
}

// The first turn connects, so it isn't a measure of anything.
void Tournament::find_pace(std::size_t pair, Metric metric, std::size_t size) {
  Pace& found = pace(pair, metric, size);
  Outcome outcome = run(pair, metric, size, 1);
  for (std::uint64_t turns = 1; outcome.done(); turns = std::min(turns * 8, found.turns)) {
    outcome = run(pair, metric, size, turns);
    if (!outcome.done()) break;
    learn(found, outcome.timing);
    if (found.turns <= 2 * turns) return;
  }
  give_up(pair, metric, size, outcome);
}

// On a busy machine a miss may be bad luck.
void Tournament::measure(std::size_t pair, Metric metric, std::size_t size, std::size_t round) {
  const Outcome outcome = run(pair, metric, size, pace(pair, metric, size).turns);
  if (!outcome.done()) {
    if (++pace(pair, metric, size).misses == kMaxMisses) give_up(pair, metric, size, outcome);
    return;
  }
  learn(pace(pair, metric, size), outcome.timing);
  const auto units = static_cast<double>(units_per_turn(task_of(metric, size, 1)));
  Cell& cell = samples_.cell(pair, metric, size);
  cell.seconds[round] = outcome.timing.median / units;
  cell.unsteadiness[round] = outcome.timing.mean / outcome.timing.median;
}

Task Tournament::task_of(Metric metric, std::size_t size, std::uint64_t turns) const {
  const std::size_t bytes = suite_.sizes[size];
  return {metric, bytes, std::max<std::uint64_t>(1, turns / 10), turns,
          window_of(bytes, options_.window_memory)};
}

// A pair that got stuck is started anew; its next warm-up connects it.
Outcome Tournament::run(std::size_t pair, Metric metric, std::size_t size, std::uint64_t turns) {
  const Task task = task_of(metric, size, turns);
  const auto deadline = std::chrono::milliseconds(std::llround(options_.deadline * 1e3));
  const Outcome outcome = pairs_[pair].measure(task, deadline);
  if (!outcome.done()) restart(pair);
  return outcome;
}

// What is too slow for one size is spared the larger ones.
void Tournament::give_up(std::size_t pair, Metric metric, std::size_t size,
                         const Outcome& outcome) {
  const bool slow = outcome.kind == Outcome::Kind::kTooSlow;
  const std::string remark = slow ? "too slow" : "failed";
  notes_ << pairs_[pair].entry().name << ", " << naming_of(metric).plural << " of "
         << suite_.sizes[size] << " bytes: " << remark << (slow ? "" : ": " + outcome.reason)
         << std::endl;
  const std::size_t end = slow ? suite_.sizes.size() : size + 1;
  for (std::size_t i = size; i < end; ++i) {
    pace(pair, metric, i).given_up = true;
    samples_.cell(pair, metric, i).remark = remark;
  }
}

void Tournament::restart(std::size_t pair) {
  if (++restarts_[pair] > kMaxRestarts) {
    notes_ << pairs_[pair].entry().name << " is out of the run" << std::endl;
    return;
  }
  try {
    pairs_[pair].start();
  } catch (const Failure& failure) {
    notes_ << pairs_[pair].entry().name << " doesn't start again: " << failure.what() << std::endl;
  }
}

}  // namespace xs::bench
