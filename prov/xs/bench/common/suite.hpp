// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "common/workload.hpp"

namespace xs::bench {

/// Sizes of messages, in bytes.
constexpr std::array<std::size_t, 8> kMessageSizes = {0,    8,     64,      1024,
                                                      4096, 65536, 1048576, 4194304};
constexpr std::array<Metric, 2> kMessageMetrics = {Metric::kLatency, Metric::kStream};

/// What is measured with the same pairs: every metric at every size.
struct Suite {
  const char* name;
  std::span<const Metric> metrics;
  std::span<const std::size_t> sizes;  ///< in bytes, ascending
};

constexpr Suite kMessages = {"messages", kMessageMetrics, kMessageSizes};

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
