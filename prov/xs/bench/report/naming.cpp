// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/naming.hpp"

#include <array>

namespace xs::bench {
namespace {

// In the order of Metric.
constexpr std::array<Naming, kMetricCount> kNamings = {{
    {"round trips", "half_round_trip", ""},
    {"streams", "message", ""},
    {"writes", "write", "write_"},
    {"writes with default completion", "write_default", "write_default_"},
    {"reads", "read", "read_"},
    {"windows of writes", "write_of_window", "write_"},
    {"windows of reads", "read_of_window", "read_"},
    {"fetching additions", "fetch_add", "fetch_add_"},
    {"compare and swap", "compare_swap", "compare_swap_"},
    {"windows of additions", "add_of_window", "add_"},
}};

}  // namespace

const Naming& naming_of(Metric metric) { return kNamings.at(static_cast<std::size_t>(metric)); }

}  // namespace xs::bench
