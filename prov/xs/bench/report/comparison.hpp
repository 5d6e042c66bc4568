// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include "report/samples.hpp"

namespace xs::bench {

/// A subject beside one of the others, at every size.
struct Comparison {
  std::string label;  ///< "xs over shm"
  std::string key;    ///< "xs_over_shm"
  Entry against;
  const Suite* suite = nullptr;
  /// Medians of per-round ratios. Of times: below 1 the subject is faster. Of
  /// windows: ratio of rates, above 1 the subject is faster.
  Grid<Summary> ratios;
};

/// Every subject over everything that it may be compared with.
std::vector<Comparison> compare(const Samples& samples);

/// "latency_ratio.xs_over_inner.8": README.md explains each part.
std::string ratio_name(const Comparison& comparison, Metric metric, std::size_t size);

}  // namespace xs::bench
