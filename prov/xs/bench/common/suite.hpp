// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/workload.hpp"

namespace xs::bench {

/// Sizes of messages, in bytes.
inline constexpr std::array<std::size_t, 8> kMessageSizes = {0,    8,     64,      1024,
                                                             4096, 65536, 1048576, 4194304};
inline constexpr std::array<Metric, 2> kMessageMetrics = {Metric::kLatency, Metric::kStream};

/// Of reads and writes of the peer's memory.
inline constexpr std::array<std::size_t, 4> kRmaSizes = {8, 4096, 65536, 1048576};
inline constexpr std::array<Metric, 5> kRmaMetrics = {
    Metric::kWrite, Metric::kWriteDefault, Metric::kRead, Metric::kWrites, Metric::kReads};

/// Of atomic operations: one integer.
inline constexpr std::array<std::size_t, 1> kAtomicSizes = {sizeof(std::uint64_t)};
inline constexpr std::array<Metric, 3> kAtomicMetrics = {Metric::kFetchAdd, Metric::kCompareSwap,
                                                         Metric::kAdds};

/// What is measured with the same pairs: every metric at every size. Each suite has pairs of its
/// own, whose endpoints ask for no more than it needs.
struct Suite {
  std::string_view name;
  std::span<const Metric> metrics;
  std::span<const std::size_t> sizes;  ///< in bytes, ascending
};

inline constexpr Suite kMessages = {"messages", kMessageMetrics, kMessageSizes};
inline constexpr Suite kRma = {"rma", kRmaMetrics, kRmaSizes};
inline constexpr Suite kAtomics = {"atomics", kAtomicMetrics, kAtomicSizes};
inline constexpr std::array<const Suite*, 3> kSuites = {&kMessages, &kRma, &kAtomics};

/// Nothing if there is none of that name.
constexpr const Suite* suite_named(std::string_view name) {
  for (const Suite* suite : kSuites)
    if (suite->name == name) return suite;
  return nullptr;
}

/// One value for each metric and size of a suite.
template <class T>
class Grid {
 public:
  explicit Grid(const Suite& suite, const T& value = {})
      : sizes_(suite.sizes.size()), values_(kMetricCount * sizes_, value) {}

  /// `size` is an index into the suite's sizes.
  T& at(Metric metric, std::size_t size) { return values_.at(index(metric, size)); }
  const T& at(Metric metric, std::size_t size) const { return values_.at(index(metric, size)); }

 private:
  std::size_t index(Metric metric, std::size_t size) const {
    return static_cast<std::size_t>(metric) * sizes_ + size;
  }

  std::size_t sizes_;
  std::vector<T> values_;
};

}  // namespace xs::bench
