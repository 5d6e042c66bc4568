// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xs::bench {

/// What one measurement repeats, called a turn below.
enum class Metric : std::uint32_t {
  kLatency,       ///< one round trip of one message each way
  kStream,        ///< one window of messages one way, then an empty message back
  kWrite,         ///< one write, until it is known to stand in the peer's memory
  kWriteDefault,  ///< one write, until its completion, whatever the provider means by it
  kRead,          ///< one read
  kWrites,        ///< one window of writes, until the last is known to stand there
  kReads,         ///< one window of reads
  kFetchAdd,      ///< one atomic addition that returns what was there
  kCompareSwap,   ///< one atomic comparison and exchange
  kAdds,          ///< one window of atomic additions, until the last is known to be done
  kFirst,         ///< round trips of a pair that has never talked; not of the rounds
};

/// Of those that rounds have.
constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kFirst);

/// Whether a turn is a window of operations, whose rate counts; else it is one that is waited for.
constexpr bool is_window(Metric metric) {
  return metric == Metric::kStream || metric == Metric::kWrites || metric == Metric::kReads ||
         metric == Metric::kAdds;
}

/// Messages, or other operations, in flight in a window, and the memory that they may take at most.
constexpr std::size_t kWindowMessages = 64;
constexpr std::size_t kWindowBytes = 16 * 1024 * 1024;

/// Messages of `bytes` bytes in one window; every one has a buffer of its own.
constexpr std::size_t window_of(std::size_t bytes, std::size_t memory) {
  return bytes == 0 ? kWindowMessages : std::clamp<std::size_t>(memory / bytes, 1, kWindowMessages);
}

/// One measurement: `warmup` turns that don't count, then `turns` that do.
struct Task {
  Metric metric = Metric::kLatency;
  std::uint64_t bytes = 0;
  std::uint64_t warmup = 0;
  std::uint64_t turns = 0;
  std::uint64_t window = 1;  ///< operations in a turn that is a window
};

/// Half round trips or operations in one turn: what the time of a turn is divided by.
constexpr std::uint64_t units_per_turn(const Task& task) {
  if (is_window(task.metric)) return task.window;
  return task.metric == Metric::kLatency ? 2 : 1;
}

}  // namespace xs::bench
