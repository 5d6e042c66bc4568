// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/samples.hpp"

namespace xs::bench {

Samples::Samples(const Suite& suite, std::vector<Entry> entries, std::size_t rounds)
    : suite_(&suite),
      entries_(std::move(entries)),
      cells_(entries_.size(),
             Grid<Cell>(suite, {.seconds = Series(rounds), .unsteadiness = Series(rounds)})) {}

Cell& Samples::cell(std::size_t entry, Metric metric, std::size_t size) {
  return cells_.at(entry).at(metric, size);
}

const Cell& Samples::cell(std::size_t entry, Metric metric, std::size_t size) const {
  return cells_.at(entry).at(metric, size);
}

}  // namespace xs::bench
