// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <span>

#include "report/samples.hpp"

namespace xs::bench {

/// What a table of medians shows.
struct Quantity {
  const char* title;
  Metric metric;
  Series Cell::*series;
  bool has_floor;
  double (*convert)(double value, double bytes);
};

/// In the order of the tables; those of one suite's metrics are next to each other.
std::span<const Quantity> quantities();

}  // namespace xs::bench
