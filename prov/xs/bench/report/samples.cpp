// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/samples.hpp"

namespace xs::bench {

Samples::Samples(std::vector<Entry> entries, std::size_t rounds)
    : entries_(std::move(entries)), cells_(entries_.size()) {
  for (Cells& cells : cells_)
    for (auto& of_metric : cells)
      for (Cell& cell : of_metric) {
        cell.seconds.resize(rounds);
        cell.unsteadiness.resize(rounds);
      }
}

Cell& Samples::cell(std::size_t entry, Metric metric, std::size_t size) {
  return cells_.at(entry).at(static_cast<std::size_t>(metric)).at(size);
}

const Cell& Samples::cell(std::size_t entry, Metric metric, std::size_t size) const {
  return cells_.at(entry).at(static_cast<std::size_t>(metric)).at(size);
}

}  // namespace xs::bench
