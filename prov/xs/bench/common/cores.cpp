// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "common/cores.hpp"

#include <sched.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

// Threads of one core have the same list of siblings.
std::string siblings_of(int cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list");
  std::string line;
  return std::getline(file, line) ? line : std::to_string(cpu);
}

}  // namespace

std::optional<CpuPair> choose_cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) fail("sched_getaffinity", errno);
  int first = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    if (first < 0)
      first = cpu;
    else if (siblings_of(cpu) != siblings_of(first))
      return CpuPair{first, cpu};
  }
  return std::nullopt;
}

void pin_to(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (sched_setaffinity(0, sizeof only, &only) != 0) fail("sched_setaffinity", errno);
}

}  // namespace xs::bench
