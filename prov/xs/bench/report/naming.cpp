// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/naming.hpp"

#include <array>

namespace xs::bench {
namespace {

// In the order of Metric.
constexpr std::array<Naming, kMetricCount> kNamings = {{
    {"round trips", "half_round_trip", ""},
    {"streams", "message", ""},
}};

}  // namespace

const Naming& naming_of(Metric metric) { return kNamings.at(static_cast<std::size_t>(metric)); }

}  // namespace xs::bench
