// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <iosfwd>
#include <vector>

#include "report/comparison.hpp"
#include "report/samples.hpp"

namespace xs::bench {

/// Tables for people: medians by entry and size, then ratios by comparison and size.
void write_tables(std::ostream& out, const Samples& samples,
                  const std::vector<Comparison>& comparisons);

/// One `name value` line per ratio that was measured.
void write_ratios(std::ostream& out, const std::vector<Comparison>& comparisons);

/// Every single measurement, for other tools: one line each, and what they begin with.
void write_csv_heading(std::ostream& out);
void write_csv(std::ostream& out, const Samples& samples);

/// 4096 -> "4Ki"
std::string size_text(std::size_t bytes);

}  // namespace xs::bench
