// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is tried. Each group is played by both probes together, step by step.
#pragma once
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>

#include "xen/probe/pages.hpp"
#include "xen/probe/report.hpp"
#include "xen/probe/store.hpp"

namespace xs::probe {

struct Probe {
  Report& report;
  Store& store;
  Partner& partner;
  Grants& grants;
};

// A domain id that nobody has; guests get theirs from 1 on.
inline constexpr unsigned kNobody = 30000;

void probe_store(Probe probe);
void probe_watches(Probe probe);
void probe_quotas(Probe probe);
void probe_sharing(Probe probe);
void probe_refusals(Probe probe);
void probe_revoking(Probe probe);
void probe_exhaustion(Probe probe);
// How many pages this VM could share now.
std::size_t free_pages(Grants& grants, unsigned domain);
void probe_death(Probe probe);
void probe_bells(Probe probe);
void probe_device(Probe probe);
void probe_rights(Probe probe);

inline std::size_t open_descriptors() {
  using Entries = std::filesystem::directory_iterator;
  return static_cast<std::size_t>(std::distance(Entries("/proc/self/fd"), Entries()));
}

class Stopwatch {
 public:
  long microseconds() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin_).count();
  }
  std::string text() const { return std::to_string(microseconds()) + " us"; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace xs::probe
