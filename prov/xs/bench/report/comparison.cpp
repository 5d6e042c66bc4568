// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/comparison.hpp"

#include <cctype>

namespace xs::bench {
namespace {

// From here on what counts is bytes per second, not messages per second.
constexpr std::size_t kBandwidthFrom = 1024;

std::string key_of(const std::string& name) {
  std::string key = name;
  for (char& c : key)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return key;
}

// The inner is called so, whichever provider it is, so that names stay the same.
std::string denominator_key(const Entry& entry) {
  if (entry.role != Role::kInner) return key_of(entry.name);
  switch (entry.group) {
    case Group::kMpi:
      return "mpi_inner";
    case Group::kSecond:
      return "inner_2";
    case Group::kAsleep:
      return "inner_asleep";
    default:
      return "inner";
  }
}

bool comparable(const Entry& subject, const Entry& other) {
  if (subject.role != Role::kSubject || other.role == Role::kSubject) return false;
  return other.role == Role::kFloor || subject.group == other.group;
}

Comparison compare_two(const Samples& samples, std::size_t subject, std::size_t other) {
  const Entry& left = samples.entries()[subject];
  const Entry& right = samples.entries()[other];
  Comparison result;
  result.label = left.name + " over " + right.name + (right.role == Role::kInner ? " (inner)" : "");
  result.key = key_of(left.name) + "_over_" + denominator_key(right);
  result.against = right;
  for (std::size_t size = 0; size < kSizes.size(); ++size) {
    const auto seconds = [&](std::size_t entry, Metric metric) -> const Series& {
      return samples.cell(entry, metric, size).seconds;
    };
    result.ratios[0][size] = summarize(
        ratios_by_round(seconds(subject, Metric::kLatency), seconds(other, Metric::kLatency)));
    // A small copy is not a message, so the floor of rates is left out.
    if (right.role == Role::kFloor && kSizes[size] < kBandwidthFrom) continue;
    // Less time per message is more rate: the other way round.
    result.ratios[1][size] = summarize(
        ratios_by_round(seconds(other, Metric::kStream), seconds(subject, Metric::kStream)));
  }
  return result;
}

}  // namespace

std::vector<Comparison> compare(const Samples& samples) {
  std::vector<Comparison> comparisons;
  const std::vector<Entry>& entries = samples.entries();
  for (std::size_t subject = 0; subject < entries.size(); ++subject)
    for (std::size_t other = 0; other < entries.size(); ++other)
      if (comparable(entries[subject], entries[other]))
        comparisons.push_back(compare_two(samples, subject, other));
  return comparisons;
}

std::string ratio_name(const Comparison& comparison, Metric metric, std::size_t size) {
  const char* kind = metric == Metric::kLatency       ? "latency_ratio"
                     : kSizes[size] >= kBandwidthFrom ? "bandwidth_ratio"
                                                      : "rate_ratio";
  return std::string(kind) + "." + comparison.key + "." + std::to_string(kSizes[size]);
}

}  // namespace xs::bench
