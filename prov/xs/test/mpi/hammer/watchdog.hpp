// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Turns a hang into a failure which says where, and what was outstanding.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace hammer {

/// An MPI operation which this rank has started and which hasn't finished.
struct Operation {
  const char* what;  ///< static text, e.g. "irecv"
  int peer = -1;     ///< rank in the operation's communicator; may be MPI_ANY_SOURCE
  int tag = -1;
  std::size_t size = 0;  ///< bytes sent, or room for receiving
};

/// Thread rule: all methods from any thread. The process ends with status 3 when a phase exceeds
/// its limit.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::seconds limit);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Names what the process does from now on, and restarts the clock.
  void enter(std::string phase, int rank);

  std::uint64_t begin(const Operation& operation);
  void end(std::uint64_t ticket);

 private:
  void watch();
  std::string report() const;

  const std::chrono::seconds limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string phase_;
  int rank_ = -1;
  std::chrono::steady_clock::time_point deadline_;
  std::uint64_t next_ticket_ = 0;
  std::map<std::uint64_t, Operation> outstanding_;  ///< oldest first
  bool stop_ = false;
  std::thread thread_;  ///< last member: it starts when all others exist
};

/// Keeps an operation on the watchdog's list for as long as it lives.
class InFlight {
 public:
  InFlight(Watchdog& watchdog, const Operation& operation)
      : watchdog_(&watchdog), ticket_(watchdog.begin(operation)) {}
  InFlight(InFlight&& other) noexcept : watchdog_(other.watchdog_), ticket_(other.ticket_) {
    other.watchdog_ = nullptr;
  }
  InFlight& operator=(InFlight&&) = delete;
  ~InFlight() { finish(); }

  void finish() {
    if (watchdog_ != nullptr) {
      watchdog_->end(ticket_);
      watchdog_ = nullptr;
    }
  }

 private:
  Watchdog* watchdog_;
  std::uint64_t ticket_;
};

}  // namespace hammer
