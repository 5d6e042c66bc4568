// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/comparison.hpp"

#include <cctype>

#include "report/naming.hpp"

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

// Whether this is one provider with idle peers and without.
bool differ_in_idle_peers(const Entry& with, const Entry& without) {
  return with.group == Group::kIdle && without.group == Group::kFabric &&
         with.name == without.name + kIdleEnding;
}

bool comparable(const Entry& subject, const Entry& other) {
  if (differ_in_idle_peers(subject, other)) return true;
  if (subject.role != Role::kSubject || other.role == Role::kSubject) return false;
  return other.role == Role::kFloor || subject.group == other.group;
}

Comparison compare_two(const Samples& samples, std::size_t subject, std::size_t other) {
  const Entry& left = samples.entries()[subject];
  const Entry& right = samples.entries()[other];
  const Suite& suite = samples.suite();
  Comparison result = {
      .label = left.name + " over " + right.name + (right.role == Role::kInner ? " (inner)" : ""),
      .key = key_of(left.name) + "_over_" + denominator_key(right),
      .against = right,
      .suite = &suite,
      .ratios = Grid<Summary>(suite)};
  for (const Metric metric : suite.metrics)
    for (std::size_t size = 0; size < suite.sizes.size(); ++size) {
      // A small copy is not a message, so the floor of rates is left out.
      if (right.role == Role::kFloor && is_window(metric) && suite.sizes[size] < kBandwidthFrom)
        continue;
      const Series& ours = samples.cell(subject, metric, size).seconds;
      const Series& theirs = samples.cell(other, metric, size).seconds;
      // Less time per operation is more rate: the other way round.
      result.ratios.at(metric, size) = summarize(is_window(metric) ? ratios_by_round(theirs, ours)
                                                                   : ratios_by_round(ours, theirs));
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
  const std::size_t bytes = comparison.suite->sizes[size];
  const char* kind = !is_window(metric)        ? "latency_ratio"
                     : bytes >= kBandwidthFrom ? "bandwidth_ratio"
                                               : "rate_ratio";
  return naming_of(metric).prefix + std::string(kind) + "." + comparison.key + "." +
         std::to_string(bytes);
}

}  // namespace xs::bench
