// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <iosfwd>
#include <vector>

#include "driver/options.hpp"
#include "driver/pair.hpp"

namespace xs::bench {

/// What fresh pairs of one entry have shown; seconds.
struct Beginning {
  Entry entry;
  Series first;   ///< by pair: there and back, the very first time
  Series change;  ///< by pair: from the first message until round trips are ten times as fast
};

/// Starts every pair anew again and again, and lets it talk for the first time. They run
/// afterwards.
std::vector<Beginning> measure_beginnings(const Options& options, std::vector<Pair>& pairs,
                                          std::ostream& notes);

void write_beginnings(std::ostream& out, const std::vector<Beginning>& beginnings);

}  // namespace xs::bench
