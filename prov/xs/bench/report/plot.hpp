// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <iosfwd>
#include <vector>

#include "report/comparison.hpp"

namespace xs::bench {

/// An SVG with the latency ratios on the left and the bandwidth ratios on the
/// right, by message size. Bars show the middle half of the rounds. The floor is
/// left out.
void write_plot(std::ostream& out, std::vector<Comparison> comparisons);

}  // namespace xs::bench
