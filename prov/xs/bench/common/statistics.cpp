// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "common/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace xs::bench {
namespace {

double quantile(std::span<const double> sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

Summary summarize(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75), values.size()};
}

std::vector<double> values_of(const Series& series) {
  std::vector<double> values;
  for (const auto& value : series)
    if (value) values.push_back(*value);
  return values;
}

std::vector<double> ratios_by_round(const Series& numerator, const Series& denominator) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(numerator.size(), denominator.size()); ++i)
    if (numerator[i] && denominator[i]) ratios.push_back(*numerator[i] / *denominator[i]);
  return ratios;
}

}  // namespace xs::bench
