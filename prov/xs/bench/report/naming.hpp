// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "common/workload.hpp"

namespace xs::bench {

/// How reports call a metric.
struct Naming {
  const char* plural;  ///< in sentences: "round trips"
  const char* sample;  ///< in samples.csv: what the seconds are of
  const char* prefix;  ///< of the kinds of ratios, before "latency_ratio"
};

const Naming& naming_of(Metric metric);

}  // namespace xs::bench
