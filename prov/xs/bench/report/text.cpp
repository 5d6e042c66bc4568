// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iomanip>
#include <ostream>
#include <string>

#include "report/naming.hpp"
#include "report/quantities.hpp"

namespace xs::bench {
namespace {

constexpr int kLabelWidth = 34;
constexpr int kCellWidth = 10;

// Three digits that matter, never an exponent.
std::string number_text(double value) {
  if (value == 0) return "0";
  const double magnitude = std::floor(std::log10(value));
  const int decimals = static_cast<int>(std::clamp(2 - magnitude, 0.0, 6.0));
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

using CellText = std::function<std::string(std::size_t size)>;

void write_row(std::ostream& out, const Suite& suite, const std::string& label,
               const CellText& cell) {
  out << std::left << std::setw(kLabelWidth) << label << std::right;
  for (std::size_t size = 0; size < suite.sizes.size(); ++size)
    out << std::setw(kCellWidth) << cell(size);
  out << '\n';
}

void write_heading(std::ostream& out, const Suite& suite, const std::string& title) {
  out << '\n' << title << '\n';
  write_row(out, suite, "bytes", [&](std::size_t size) { return size_text(suite.sizes[size]); });
}

void write_quantity(std::ostream& out, const Samples& samples, const Quantity& quantity) {
  const Suite& suite = samples.suite();
  write_heading(out, suite, quantity.title);
  for (std::size_t entry = 0; entry < samples.entries().size(); ++entry) {
    if (samples.entries()[entry].role == Role::kFloor && !quantity.has_floor) continue;
    const Entry& who = samples.entries()[entry];
    write_row(out, suite, who.name + (who.role == Role::kInner ? " (inner)" : ""),
              [&](std::size_t size) -> std::string {
                const Cell& cell = samples.cell(entry, quantity.metric, size);
                const Summary summary = summarize(values_of(cell.*quantity.series));
                if (summary.count == 0) return cell.remark.empty() ? "-" : cell.remark;
                return number_text(
                    quantity.convert(summary.median, static_cast<double>(suite.sizes[size])));
              });
  }
}

std::string ratio_text(const Summary& summary, double value) {
  return summary.count == 0 ? "-" : number_text(value);
}

// The spread is shown where it decides: beside the provider that the subject builds on.
void write_comparison(std::ostream& out, const Comparison& comparison, Metric metric) {
  write_row(out, *comparison.suite, comparison.label, [&](std::size_t size) {
    const Summary& ratio = comparison.ratios.at(metric, size);
    return ratio_text(ratio, ratio.median);
  });
  if (comparison.against.role != Role::kInner) return;
  write_row(out, *comparison.suite, "  a quarter is below", [&](std::size_t size) {
    const Summary& ratio = comparison.ratios.at(metric, size);
    return ratio_text(ratio, ratio.lower_quartile);
  });
  write_row(out, *comparison.suite, "  a quarter is above", [&](std::size_t size) {
    const Summary& ratio = comparison.ratios.at(metric, size);
    return ratio_text(ratio, ratio.upper_quartile);
  });
}

std::string ratio_title(Metric metric) {
  return is_window(metric) ? std::string("Rate and bandwidth ratio, ") + naming_of(metric).plural +
                                 ", median of rounds (above 1: faster than the other)"
                           : std::string("Latency ratio, ") + naming_of(metric).plural +
                                 ", median of rounds (below 1: faster than the other)";
}

}  // namespace

std::string size_text(std::size_t bytes) {
  if (bytes >= 1048576) return std::to_string(bytes / 1048576) + "Mi";
  if (bytes >= 1024) return std::to_string(bytes / 1024) + "Ki";
  return std::to_string(bytes);
}

void write_tables(std::ostream& out, const Samples& samples,
                  const std::vector<Comparison>& comparisons) {
  const Suite& suite = samples.suite();
  for (const Quantity& quantity : quantities())
    if (std::ranges::count(suite.metrics, quantity.metric) != 0)
      write_quantity(out, samples, quantity);
  if (comparisons.empty()) return;
  for (const Metric metric : suite.metrics) {
    write_heading(out, suite, ratio_title(metric));
    for (const Comparison& comparison : comparisons) write_comparison(out, comparison, metric);
  }
}

void write_ratios(std::ostream& out, const std::vector<Comparison>& comparisons) {
  if (comparisons.empty()) return;
  const Suite& suite = *comparisons.front().suite;
  for (const Metric metric : suite.metrics)
    for (const Comparison& comparison : comparisons)
      for (std::size_t size = 0; size < suite.sizes.size(); ++size) {
        const Summary& ratio = comparison.ratios.at(metric, size);
        if (ratio.count != 0)
          out << ratio_name(comparison, metric, size) << ' ' << number_text(ratio.median) << '\n';
      }
}

void write_csv_heading(std::ostream& out) {
  out << "entry,metric,bytes,round,seconds,unsteadiness\n";
}

void write_csv(std::ostream& out, const Samples& samples) {
  const Suite& suite = samples.suite();
  for (std::size_t entry = 0; entry < samples.entries().size(); ++entry)
    for (const Metric metric : suite.metrics)
      for (std::size_t size = 0; size < suite.sizes.size(); ++size) {
        const Cell& cell = samples.cell(entry, metric, size);
        for (std::size_t round = 0; round < cell.seconds.size(); ++round)
          if (cell.seconds[round])
            out << samples.entries()[entry].name << ',' << naming_of(metric).sample << ','
                << suite.sizes[size] << ',' << round << ',' << *cell.seconds[round] << ','
                << *cell.unsteadiness[round] << '\n';
      }
}

}  // namespace xs::bench
