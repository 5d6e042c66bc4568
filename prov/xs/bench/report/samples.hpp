// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <string>
#include <vector>

#include "common/statistics.hpp"
#include "common/workload.hpp"
#include "report/entry.hpp"

namespace xs::bench {

/// All measurements of one entry, metric and size.
struct Cell {
  Series seconds;       ///< by round: of one half round trip, or of one streamed message
  Series unsteadiness;  ///< by round: mean over median of the slices
  std::string remark;   ///< why there is nothing, or nothing more: "too slow", "failed"
};

/// What a run has measured.
class Samples {
 public:
  /// `rounds` is how many values each cell gets at most.
  Samples(std::vector<Entry> entries, std::size_t rounds);

  const std::vector<Entry>& entries() const { return entries_; }

  /// `size` is an index into kSizes.
  Cell& cell(std::size_t entry, Metric metric, std::size_t size);
  const Cell& cell(std::size_t entry, Metric metric, std::size_t size) const;

 private:
  using Cells = std::array<std::array<Cell, kSizes.size()>, kMetrics.size()>;
  std::vector<Entry> entries_;
  std::vector<Cells> cells_;
};

}  // namespace xs::bench
