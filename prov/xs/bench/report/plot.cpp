// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>
#include <string>

#include "report/text.hpp"

namespace xs::bench {
namespace {

// All lengths are in pixels.
constexpr double kPanelWidth = 440;
constexpr double kPanelHeight = 360;
constexpr double kMarginLeft = 70;
constexpr double kMarginTop = 50;
constexpr double kPanelGap = 90;
constexpr double kLegendTop = kMarginTop + kPanelHeight + 70;
constexpr double kLegendStep = 20;
constexpr double kWidth = kMarginLeft + 2 * kPanelWidth + kPanelGap + 20;

// Distinguishable without colour vision (Okabe and Ito).
constexpr std::array<const char*, 7> kColours = {"#000000", "#0072b2", "#d55e00", "#009e73",
                                                 "#cc79a7", "#e69f00", "#56b4e9"};

struct Style {
  const char* colour;
  const char* dash;
};

// One colour per line of a group, one kind of dash per group.
std::vector<Style> styles_of(const std::vector<Comparison>& comparisons) {
  std::vector<Style> styles;
  std::size_t within = 0;
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    const std::string subject = comparisons[i].label.substr(0, comparisons[i].label.find(" over "));
    const bool first =
        i == 0 || comparisons[i - 1].label.compare(0, subject.size() + 6, subject + " over ") != 0;
    within = first ? 0 : within + 1;
    const char* dash = subject.starts_with("mpi") ? "7 4"
                       : subject.ends_with("@2")  ? "2 3"
                                                  : "none";
    styles.push_back({kColours[within % kColours.size()], dash});
  }
  return styles;
}

/// The ratio axis: logarithmic, wide enough for every value, and for 1.
class Axis {
 public:
  Axis(const std::vector<Comparison>& comparisons, Metric metric) {
    double low = 0.5;
    double high = 2;
    for (const Comparison& comparison : comparisons)
      for (std::size_t size = 0; size < kMessageSizes.size(); ++size) {
        const Summary& ratio = comparison.ratios.at(metric, size);
        if (ratio.count == 0) continue;
        low = std::min(low, ratio.lower_quartile);
        high = std::max(high, ratio.upper_quartile);
      }
    low_ = std::log10(low) - 0.05;
    high_ = std::log10(high) + 0.05;
  }

  double y(double ratio) const {
    return kMarginTop + kPanelHeight * (high_ - std::log10(ratio)) / (high_ - low_);
  }

  /// 1, 2 and 5 of every power of ten within the axis.
  std::vector<double> ticks() const {
    std::vector<double> ticks;
    for (double power = std::floor(low_); power <= high_; ++power)
      for (const double step : {1.0, 2.0, 5.0}) {
        const double tick = step * std::pow(10, power);
        if (std::log10(tick) > low_ && std::log10(tick) < high_) ticks.push_back(tick);
      }
    return ticks;
  }

 private:
  double low_ = 0;  // powers of ten
  double high_ = 0;
};

double x_of(double left, std::size_t size) {
  return left + kPanelWidth * (static_cast<double>(size) + 0.5) / kMessageSizes.size();
}

void write_line(std::ostream& out, double x1, double y1, double x2, double y2,
                const std::string& style) {
  out << "<line x1='" << x1 << "' y1='" << y1 << "' x2='" << x2 << "' y2='" << y2 << "' " << style
      << "/>\n";
}

void write_text(std::ostream& out, double x, double y, const std::string& attributes,
                const std::string& text) {
  out << "<text x='" << x << "' y='" << y << "' " << attributes << ">" << text << "</text>\n";
}

void write_frame(std::ostream& out, double left, const Axis& axis, const std::string& title,
                 const std::string& hint) {
  const double bottom = kMarginTop + kPanelHeight;
  const double middle = left + kPanelWidth / 2;
  out << "<rect x='" << left << "' y='" << kMarginTop << "' width='" << kPanelWidth << "' height='"
      << kPanelHeight << "' fill='none' stroke='#444'/>\n";
  write_text(out, middle, kMarginTop - 24, "text-anchor='middle' font-weight='bold'", title);
  write_text(out, middle, kMarginTop - 8, "text-anchor='middle' fill='#444'", hint);
  for (const double tick : axis.ticks()) {
    const bool is_one = std::abs(tick - 1) < 1e-9;
    write_line(out, left, axis.y(tick), left + kPanelWidth, axis.y(tick),
               is_one ? "stroke='#444' stroke-width='1.5'" : "stroke='#ddd'");
    char label[16];
    std::snprintf(label, sizeof label, "%g", tick);
    write_text(out, left - 6, axis.y(tick) + 4, "text-anchor='end'", label);
  }
  for (std::size_t size = 0; size < kMessageSizes.size(); ++size)
    write_text(out, x_of(left, size), bottom + 18, "text-anchor='middle'",
               size_text(kMessageSizes[size]));
  write_text(out, middle, bottom + 40, "text-anchor='middle'", "message size, bytes");
  write_text(out, 0, 0,
             "text-anchor='middle' transform='translate(" + std::to_string(left - 48) + "," +
                 std::to_string(kMarginTop + kPanelHeight / 2) + ") rotate(-90)'",
             "ratio (logarithmic)");
}

void write_curve(std::ostream& out, double left, const Axis& axis, const Comparison& comparison,
                 Metric metric, const Style& style) {
  const std::string stroke = "stroke='" + std::string(style.colour) + "'";
  std::string points;
  for (std::size_t size = 0; size < kMessageSizes.size(); ++size) {
    const Summary& ratio = comparison.ratios.at(metric, size);
    if (ratio.count == 0) continue;
    const double x = x_of(left, size);
    const double y = axis.y(ratio.median);
    points += std::to_string(x) + "," + std::to_string(y) + " ";
    write_line(out, x, axis.y(ratio.lower_quartile), x, axis.y(ratio.upper_quartile),
               stroke + " stroke-opacity='0.4' stroke-width='4'");
    out << "<circle cx='" << x << "' cy='" << y << "' r='3' fill='" << style.colour << "'/>\n";
  }
  out << "<polyline points='" << points << "' fill='none' stroke-width='1.5' " << stroke
      << " stroke-dasharray='" << style.dash << "'/>\n";
}

void write_panel(std::ostream& out, double left, const std::vector<Comparison>& comparisons,
                 const std::vector<Style>& styles, Metric metric) {
  const Axis axis(comparisons, metric);
  if (metric == Metric::kLatency)
    write_frame(out, left, axis, "Half round trip", "below 1: faster than the other");
  else
    write_frame(out, left, axis, "Streaming bandwidth", "above 1: faster than the other");
  for (std::size_t i = 0; i < comparisons.size(); ++i)
    write_curve(out, left, axis, comparisons[i], metric, styles[i]);
}

void write_legend(std::ostream& out, const std::vector<Comparison>& comparisons,
                  const std::vector<Style>& styles) {
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    const double x = kMarginLeft + (i % 3) * (kWidth - kMarginLeft) / 3;
    const double y = kLegendTop + static_cast<double>(i / 3) * kLegendStep;
    write_line(out, x, y, x + 36, y,
               "stroke='" + std::string(styles[i].colour) +
                   "' stroke-width='2' stroke-dasharray='" + styles[i].dash + "'");
    write_text(out, x + 44, y + 4, "", comparisons[i].label);
  }
}

}  // namespace

void write_plot(std::ostream& out, std::vector<Comparison> comparisons) {
  // Orders of magnitude away, the floor would press all the others together.
  std::erase_if(comparisons, [](const Comparison& c) { return c.against.role == Role::kFloor; });
  const std::vector<Style> styles = styles_of(comparisons);
  const double height = kLegendTop + std::ceil(comparisons.size() / 3.0) * kLegendStep + 10;
  out << "<svg xmlns='http://www.w3.org/2000/svg' width='" << kWidth << "' height='" << height
      << "' viewBox='0 0 " << kWidth << " " << height
      << "' font-family='sans-serif' font-size='12'>\n"
      << "<rect width='100%' height='100%' fill='white'/>\n";
  write_panel(out, kMarginLeft, comparisons, styles, Metric::kLatency);
  write_panel(out, kMarginLeft + kPanelWidth + kPanelGap, comparisons, styles, Metric::kStream);
  write_legend(out, comparisons, styles);
  out << "</svg>\n";
}

}  // namespace xs::bench
