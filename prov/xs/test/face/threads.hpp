// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What tests see of the threads of this process.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>

namespace xs::abi::test {

// Context switches of the threads of that name; 0: there is none.
inline unsigned long switches_of(const std::string& name) {
  const std::string tasks = "/proc/self/task";
  unsigned long found = 0;
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::string comm;
    std::getline(std::ifstream(task.path() / "comm"), comm);
    if (comm != name) continue;
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;)
      if (word == "voluntary_ctxt_switches:") {
        unsigned long count = 0;
        status >> count;
        found += count;
      }
  }
  return found;
}

}  // namespace xs::abi::test
