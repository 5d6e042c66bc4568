// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The inside of a process under test: how it talks with the driver.
#pragma once
#include <atomic>
#include <optional>
#include <string>

#include "procs/limits.hpp"
#include "procs/unique_fd.hpp"

namespace xs::test {

// Shared with the driver: where the process is, for the report of a hang.
struct Board {
  char place[160];
  std::atomic<std::uint64_t> sent;
  std::atomic<std::uint64_t> received;
};

// Lines between driver and process.
class Channel {
 public:
  explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}
  void say(const std::string& line) const;
  // Waits; nothing within that time: nullopt. The other side is gone: throws Failure.
  std::optional<std::string> hear(milliseconds within) const;

 private:
  UniqueFd fd_;
};

class Worker {
 public:
  Worker(Channel channel, Board& board) : channel_(std::move(channel)), board_(board) {}

  void say(const std::string& line) const { channel_.say(line); }
  // The driver's next line; waits for it without making progress.
  std::string hear() const;
  // The same if it is there already.
  std::optional<std::string> heard() const { return channel_.hear(milliseconds(0)); }
  // Says where this process is. Cheap.
  void at(const char* place) const;
  Board& board() const { return board_; }

 private:
  Channel channel_;
  Board& board_;
};

}  // namespace xs::test
