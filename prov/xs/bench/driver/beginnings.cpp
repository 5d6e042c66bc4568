// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/beginnings.hpp"

#include <cmath>
#include <iomanip>
#include <ostream>

#include "common/failure.hpp"
#include "common/statistics.hpp"

namespace xs::bench {
namespace {

constexpr std::uint64_t kTurns = 80;  // enough that a change of path is seen
constexpr std::uint64_t kBytes = 8;

// MPI has talked before its workers call us.
bool can_begin(const Entry& entry) {
  return entry.role != Role::kFloor && entry.group != Group::kMpi;
}

// A pair that doesn't start or is too slow has no value in this round.
void begin_anew(const Options& options, Pair& pair, std::size_t round, Beginning& beginning,
                std::ostream& notes) {
  pair.stop();
  try {
    pair.start();
  } catch (const Failure& failure) {
    notes << pair.entry().name << " doesn't start: " << failure.what() << std::endl;
    return;
  }
  const auto deadline = std::chrono::milliseconds(std::llround(options.deadline * 1e3));
  const Task task = {.metric = Metric::kFirst, .bytes = kBytes, .turns = kTurns};
  const Outcome outcome = pair.measure(task, deadline);
  if (!outcome.done()) return;
  beginning.first[round] = outcome.timing.first;
  if (outcome.timing.change > 0) beginning.change[round] = outcome.timing.change;
}

void write_cell(std::ostream& out, const Series& series) {
  const Summary summary = summarize(values_of(series));
  out << std::setw(12);
  if (summary.count == 0)
    out << "-" << std::setw(16) << "";
  else
    out << std::fixed << std::setprecision(1) << summary.median * 1e3 << std::setw(8)
        << summary.lower_quartile * 1e3 << std::setw(8) << summary.upper_quartile * 1e3;
}

}  // namespace

std::vector<Beginning> measure_beginnings(const Options& options, std::vector<Pair>& pairs,
                                          std::ostream& notes) {
  std::vector<Beginning> beginnings;
  for (const Pair& pair : pairs)
    beginnings.push_back({pair.entry(), Series(options.beginnings), Series(options.beginnings)});
  for (std::size_t round = 0; round < options.beginnings; ++round) {
    notes << "beginning " << round + 1 << " of " << options.beginnings << std::endl;
    for (std::size_t i = 0; i < pairs.size(); ++i)
      if (can_begin(pairs[i].entry())) begin_anew(options, pairs[i], round, beginnings[i], notes);
  }
  return beginnings;
}

void write_beginnings(std::ostream& out, const std::vector<Beginning>& beginnings) {
  out << "\nThe first message there and back, and from its beginning until round trips are ten "
         "times as fast:\nmilliseconds, median and middle half\n";
  for (const Beginning& each : beginnings) {
    if (!can_begin(each.entry)) continue;
    out << std::left << std::setw(34) << each.entry.name << std::right;
    write_cell(out, each.first);
    write_cell(out, each.change);
    out << '\n';
  }
}

}  // namespace xs::bench
