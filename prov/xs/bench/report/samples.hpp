// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include "common/statistics.hpp"
#include "common/suite.hpp"
#include "report/entry.hpp"

namespace xs::bench {

/// All measurements of one entry, metric and size.
struct Cell {
  Series seconds = {};       ///< by round: of one half round trip, or of one operation
  Series unsteadiness = {};  ///< by round: mean over median of the slices
  std::string remark = {};   ///< why there is nothing, or nothing more: "too slow", "failed"
};

/// What a run has measured of one suite.
class Samples {
 public:
  /// `rounds` is how many values each cell gets at most. The suite must outlive this.
  Samples(const Suite& suite, std::vector<Entry> entries, std::size_t rounds);

  const Suite& suite() const { return *suite_; }
  const std::vector<Entry>& entries() const { return entries_; }

  /// `size` is an index into the suite's sizes.
  Cell& cell(std::size_t entry, Metric metric, std::size_t size);
  const Cell& cell(std::size_t entry, Metric metric, std::size_t size) const;

 private:
  const Suite* suite_;
  std::vector<Entry> entries_;
  std::vector<Grid<Cell>> cells_;
};

}  // namespace xs::bench
