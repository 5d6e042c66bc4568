// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "report/comparison.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "report/text.hpp"

namespace xs::bench {
namespace {

// Two rounds in which the entries take the given seconds, at 8 bytes and at 1 MiB.
Samples samples_of(const std::vector<Entry>& entries, const std::vector<double>& seconds,
                   const Suite& suite = kMessages) {
  Samples samples(suite, entries, 2);
  for (std::size_t entry = 0; entry < entries.size(); ++entry)
    for (const Metric metric : suite.metrics)
      for (std::size_t size = 0; size < suite.sizes.size(); ++size)
        if (suite.sizes[size] == 8 || suite.sizes[size] == 1048576)
          samples.cell(entry, metric, size).seconds = {seconds[entry], 10 * seconds[entry]};
  return samples;
}

const std::vector<Entry> kTwo = {{"xs", Group::kFabric, Role::kSubject},
                                 {"shm", Group::kFabric, Role::kPeer}};

std::string ratio_lines(const Samples& samples) {
  std::ostringstream out;
  write_ratios(out, compare(samples));
  return out.str();
}

TEST(Comparison, LatencyGoesByTimeAndStreamsByRate) {
  const Samples samples = samples_of(
      {{"xs", Group::kFabric, Role::kSubject}, {"net", Group::kFabric, Role::kInner}}, {2, 1});
  EXPECT_EQ(ratio_lines(samples),
            "latency_ratio.xs_over_inner.8 2.00\n"
            "latency_ratio.xs_over_inner.1048576 2.00\n"
            "rate_ratio.xs_over_inner.8 0.500\n"
            "bandwidth_ratio.xs_over_inner.1048576 0.500\n");
}

TEST(Comparison, FloorHasNoMessageRate) {
  const Samples samples = samples_of(
      {{"xs", Group::kFabric, Role::kSubject}, {"floor", Group::kNone, Role::kFloor}}, {4, 1});
  EXPECT_EQ(ratio_lines(samples),
            "latency_ratio.xs_over_floor.8 4.00\n"
            "latency_ratio.xs_over_floor.1048576 4.00\n"
            "bandwidth_ratio.xs_over_floor.1048576 0.250\n");
}

TEST(Comparison, WindowsOfRemoteMemoryGoByRate) {
  EXPECT_EQ(ratio_lines(samples_of(kTwo, {2, 1}, kRma)),
            "write_latency_ratio.xs_over_shm.8 2.00\n"
            "write_latency_ratio.xs_over_shm.1048576 2.00\n"
            "write_default_latency_ratio.xs_over_shm.8 2.00\n"
            "write_default_latency_ratio.xs_over_shm.1048576 2.00\n"
            "read_latency_ratio.xs_over_shm.8 2.00\n"
            "read_latency_ratio.xs_over_shm.1048576 2.00\n"
            "write_rate_ratio.xs_over_shm.8 0.500\n"
            "write_bandwidth_ratio.xs_over_shm.1048576 0.500\n"
            "read_rate_ratio.xs_over_shm.8 0.500\n"
            "read_bandwidth_ratio.xs_over_shm.1048576 0.500\n");
}

TEST(Comparison, AtomicsHaveOneSize) {
  EXPECT_EQ(ratio_lines(samples_of(kTwo, {2, 1}, kAtomics)),
            "fetch_add_latency_ratio.xs_over_shm.8 2.00\n"
            "compare_swap_latency_ratio.xs_over_shm.8 2.00\n"
            "add_rate_ratio.xs_over_shm.8 0.500\n");
}

TEST(Comparison, StaysWithinItsGroup) {
  const Samples samples = samples_of({{"xs", Group::kFabric, Role::kSubject},
                                      {"tcp;ofi_rxm", Group::kFabric, Role::kPeer},
                                      {"xs@2", Group::kSecond, Role::kSubject},
                                      {"tcp@2", Group::kSecond, Role::kInner},
                                      {"mpi xs", Group::kMpi, Role::kSubject},
                                      {"mpi net", Group::kMpi, Role::kInner}},
                                     {1, 1, 1, 1, 1, 1});
  std::vector<std::string> keys;
  for (const Comparison& comparison : compare(samples)) keys.push_back(comparison.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"xs_over_tcp_ofi_rxm", "xs_2_over_inner_2",
                                            "mpi_xs_over_mpi_inner"}));
}

TEST(Comparison, IdlePeersAreBesideTheSameWithoutThem) {
  const Samples samples = samples_of({{"xs", Group::kFabric, Role::kSubject},
                                      {"shm", Group::kFabric, Role::kPeer},
                                      {"xs asleep", Group::kAsleep, Role::kSubject},
                                      {"xs idle", Group::kIdle, Role::kSubject},
                                      {"shm idle", Group::kIdle, Role::kPeer}},
                                     {1, 1, 1, 1, 1});
  std::vector<std::string> keys;
  for (const Comparison& comparison : compare(samples)) keys.push_back(comparison.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"xs_over_shm", "xs_idle_over_xs",
                                            "xs_idle_over_shm_idle", "shm_idle_over_shm"}));
}

TEST(Comparison, WhatIdlePeersCostGoesByTimeAndByRate) {
  const Samples samples = samples_of(
      {{"xs", Group::kFabric, Role::kSubject}, {"xs idle", Group::kIdle, Role::kSubject}}, {1, 2});
  EXPECT_EQ(ratio_lines(samples),
            "latency_ratio.xs_idle_over_xs.8 2.00\n"
            "latency_ratio.xs_idle_over_xs.1048576 2.00\n"
            "rate_ratio.xs_idle_over_xs.8 0.500\n"
            "bandwidth_ratio.xs_idle_over_xs.1048576 0.500\n");
}

}  // namespace
}  // namespace xs::bench
