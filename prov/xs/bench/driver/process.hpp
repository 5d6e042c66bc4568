// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xs::bench {

/// A program to start. Variables are set in its environment, or removed where
/// they have no value.
struct Command {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::optional<std::string>>> variables;
};

/// A child process, which dies with us or with this object.
class Process {
 public:
  /// Starts the command; what it prints is appended to the file `log`. Throws Failure.
  Process(const Command& command, const std::string& log);
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&&) = delete;
  ~Process();

  /// Whether it has ended, after waiting for at most `patience`.
  bool ended(std::chrono::milliseconds patience);

 private:
  pid_t pid_ = -1;  // -1 once it has ended
};

}  // namespace xs::bench
