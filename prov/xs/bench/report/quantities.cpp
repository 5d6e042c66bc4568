// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/quantities.hpp"

#include <array>

namespace xs::bench {
namespace {

double microseconds(double seconds, double) { return seconds * 1e6; }
double millions_per_second(double seconds, double) { return 1e-6 / seconds; }
double gigabytes_per_second(double seconds, double bytes) { return bytes * 1e-9 / seconds; }
double itself(double value, double) { return value; }

constexpr std::array<Quantity, 5> kQuantities = {{
    {"Half round trip, microseconds (floor: a cache line there and back)", Metric::kLatency,
     &Cell::seconds, true, microseconds},
    {"Message rate, million per second", Metric::kStream, &Cell::seconds, false,
     millions_per_second},
    {"Bandwidth, GB/s (floor: memcpy)", Metric::kStream, &Cell::seconds, true,
     gigabytes_per_second},
    {"Unsteadiness of the round trips: mean over median (1: steady)", Metric::kLatency,
     &Cell::unsteadiness, true, itself},
    {"Unsteadiness of the streams", Metric::kStream, &Cell::unsteadiness, true, itself},
}};

}  // namespace

std::span<const Quantity> quantities() { return kQuantities; }

}  // namespace xs::bench
