// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace xs::bench {

/// The middle of a set of values and where its middle half lies.
struct Summary {
  double lower_quartile = 0;
  double median = 0;
  double upper_quartile = 0;
  std::size_t count = 0;  ///< of values; 0 makes the others meaningless
};

/// Takes the values in any order. Between two values it interpolates.
Summary summarize(std::vector<double> values);

/// One value per round; nothing where the round wasn't measured.
using Series = std::vector<std::optional<double>>;

/// The values that are there.
std::vector<double> values_of(const Series& series);

/// numerator[i] / denominator[i] of the rounds that both have measured. On a
/// machine whose speed wanders, the two of one round were met by the same speed.
std::vector<double> ratios_by_round(const Series& numerator, const Series& denominator);

}  // namespace xs::bench
