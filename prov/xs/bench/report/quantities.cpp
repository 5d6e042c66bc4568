// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/quantities.hpp"

#include <array>

namespace xs::bench {
namespace {

double microseconds(double seconds, double) { return seconds * 1e6; }
double millions_per_second(double seconds, double) { return 1e-6 / seconds; }
double gigabytes_per_second(double seconds, double bytes) { return bytes * 1e-9 / seconds; }
double itself(double value, double) { return value; }

constexpr bool kFloor = true;
constexpr bool kNoFloor = false;

constexpr Quantity time_of(Metric metric, const char* title, bool has_floor = kNoFloor) {
  return {title, metric, &Cell::seconds, has_floor, microseconds};
}
constexpr Quantity rate_of(Metric metric, const char* title) {
  return {title, metric, &Cell::seconds, kNoFloor, millions_per_second};
}
constexpr Quantity bandwidth_of(Metric metric, const char* title, bool has_floor = kNoFloor) {
  return {title, metric, &Cell::seconds, has_floor, gigabytes_per_second};
}
constexpr Quantity unsteadiness_of(Metric metric, const char* title, bool has_floor = kNoFloor) {
  return {title, metric, &Cell::unsteadiness, has_floor, itself};
}

constexpr std::array kQuantities = {
    time_of(Metric::kLatency, "Half round trip, microseconds (floor: a cache line there and back)",
            kFloor),
    rate_of(Metric::kStream, "Message rate, million per second"),
    bandwidth_of(Metric::kStream, "Bandwidth, GB/s (floor: memcpy)", kFloor),
    unsteadiness_of(Metric::kLatency,
                    "Unsteadiness of the round trips: mean over median (1: steady)", kFloor),
    unsteadiness_of(Metric::kStream, "Unsteadiness of the streams", kFloor),

    time_of(Metric::kWrite, "Write, until it is known to be there, microseconds"),
    time_of(Metric::kWriteDefault, "Write, until its default completion, microseconds"),
    time_of(Metric::kRead, "Read, microseconds"),
    rate_of(Metric::kWrites, "Rate of writes, million per second"),
    bandwidth_of(Metric::kWrites, "Bandwidth of writes, GB/s"),
    rate_of(Metric::kReads, "Rate of reads, million per second"),
    bandwidth_of(Metric::kReads, "Bandwidth of reads, GB/s"),
    unsteadiness_of(Metric::kWrite, "Unsteadiness of the writes: mean over median (1: steady)"),
    unsteadiness_of(Metric::kWriteDefault, "Unsteadiness of the writes with default completion"),
    unsteadiness_of(Metric::kRead, "Unsteadiness of the reads"),
    unsteadiness_of(Metric::kWrites, "Unsteadiness of the windows of writes"),
    unsteadiness_of(Metric::kReads, "Unsteadiness of the windows of reads"),

    time_of(Metric::kFetchAdd, "Fetching addition, microseconds"),
    time_of(Metric::kCompareSwap, "Compare and swap, microseconds"),
    rate_of(Metric::kAdds, "Rate of additions, million per second"),
    unsteadiness_of(Metric::kFetchAdd,
                    "Unsteadiness of the fetching additions: mean over median (1: steady)"),
    unsteadiness_of(Metric::kCompareSwap, "Unsteadiness of compare and swap"),
    unsteadiness_of(Metric::kAdds, "Unsteadiness of the windows of additions"),
};

}  // namespace

std::span<const Quantity> quantities() { return kQuantities; }

}  // namespace xs::bench
