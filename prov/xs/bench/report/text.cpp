// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iomanip>
#include <ostream>
#include <string>

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

void write_row(std::ostream& out, const std::string& label, const CellText& cell) {
  out << std::left << std::setw(kLabelWidth) << label << std::right;
  for (std::size_t size = 0; size < kSizes.size(); ++size)
    out << std::setw(kCellWidth) << cell(size);
  out << '\n';
}

void write_heading(std::ostream& out, const std::string& title) {
  out << '\n' << title << '\n';
  write_row(out, "bytes", [](std::size_t size) { return size_text(kSizes[size]); });
}

/// What a table of medians shows.
struct Quantity {
  const char* title;
  Metric metric;
  Series Cell::*series;
  bool has_floor;
  double (*convert)(double value, double bytes);
};

constexpr std::array<Quantity, 5> kQuantities = {{
    {"Half round trip, microseconds (floor: a cache line there and back)", Metric::kLatency,
     &Cell::seconds, true, [](double seconds, double) { return seconds * 1e6; }},
    {"Message rate, million per second", Metric::kStream, &Cell::seconds, false,
     [](double seconds, double) { return 1e-6 / seconds; }},
    {"Bandwidth, GB/s (floor: memcpy)", Metric::kStream, &Cell::seconds, true,
     [](double seconds, double bytes) { return bytes * 1e-9 / seconds; }},
    {"Unsteadiness of the round trips: mean over median (1: steady)", Metric::kLatency,
     &Cell::unsteadiness, true, [](double value, double) { return value; }},
    {"Unsteadiness of the streams", Metric::kStream, &Cell::unsteadiness, true,
     [](double value, double) { return value; }},
}};

void write_quantity(std::ostream& out, const Samples& samples, const Quantity& quantity) {
  write_heading(out, quantity.title);
  for (std::size_t entry = 0; entry < samples.entries().size(); ++entry) {
    if (samples.entries()[entry].role == Role::kFloor && !quantity.has_floor) continue;
    const Entry& who = samples.entries()[entry];
    write_row(
        out, who.name + (who.role == Role::kInner ? " (inner)" : ""),
        [&](std::size_t size) -> std::string {
          const Cell& cell = samples.cell(entry, quantity.metric, size);
          const Summary summary = summarize(values_of(cell.*quantity.series));
          if (summary.count == 0) return cell.remark.empty() ? "-" : cell.remark;
          return number_text(quantity.convert(summary.median, static_cast<double>(kSizes[size])));
        });
  }
}

std::string ratio_text(const Summary& summary, double value) {
  return summary.count == 0 ? "-" : number_text(value);
}

// The spread is shown where it decides: beside the provider that the subject builds on.
void write_comparison(std::ostream& out, const Comparison& comparison, Metric metric) {
  write_row(out, comparison.label, [&](std::size_t size) {
    const Summary& ratio = comparison.ratio(metric, size);
    return ratio_text(ratio, ratio.median);
  });
  if (comparison.against.role != Role::kInner) return;
  write_row(out, "  a quarter is below", [&](std::size_t size) {
    const Summary& ratio = comparison.ratio(metric, size);
    return ratio_text(ratio, ratio.lower_quartile);
  });
  write_row(out, "  a quarter is above", [&](std::size_t size) {
    const Summary& ratio = comparison.ratio(metric, size);
    return ratio_text(ratio, ratio.upper_quartile);
  });
}

}  // namespace

std::string size_text(std::size_t bytes) {
  if (bytes >= 1048576) return std::to_string(bytes / 1048576) + "Mi";
  if (bytes >= 1024) return std::to_string(bytes / 1024) + "Ki";
  return std::to_string(bytes);
}

void write_tables(std::ostream& out, const Samples& samples,
                  const std::vector<Comparison>& comparisons) {
  for (const Quantity& quantity : kQuantities) write_quantity(out, samples, quantity);
  if (comparisons.empty()) return;
  write_heading(out, "Latency ratio, median of rounds (below 1: faster than the other)");
  for (const Comparison& comparison : comparisons)
    write_comparison(out, comparison, Metric::kLatency);
  write_heading(out, "Rate and bandwidth ratio, median of rounds (above 1: faster than the other)");
  for (const Comparison& comparison : comparisons)
    write_comparison(out, comparison, Metric::kStream);
}

void write_ratios(std::ostream& out, const std::vector<Comparison>& comparisons) {
  for (const Metric metric : kMetrics)
    for (const Comparison& comparison : comparisons)
      for (std::size_t size = 0; size < kSizes.size(); ++size) {
        const Summary& ratio = comparison.ratio(metric, size);
        if (ratio.count != 0)
          out << ratio_name(comparison, metric, size) << ' ' << number_text(ratio.median) << '\n';
      }
}

void write_csv(std::ostream& out, const Samples& samples) {
  out << "entry,metric,bytes,round,seconds,unsteadiness\n";
  for (std::size_t entry = 0; entry < samples.entries().size(); ++entry)
    for (const Metric metric : kMetrics)
      for (std::size_t size = 0; size < kSizes.size(); ++size) {
        const Cell& cell = samples.cell(entry, metric, size);
        for (std::size_t round = 0; round < cell.seconds.size(); ++round)
          if (cell.seconds[round])
            out << samples.entries()[entry].name << ','
                << (metric == Metric::kLatency ? "half_round_trip" : "message") << ','
                << kSizes[size] << ',' << round << ',' << *cell.seconds[round] << ','
                << *cell.unsteadiness[round] << '\n';
      }
}

}  // namespace xs::bench
