// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/channel.hpp"
#include "driver/contestant.hpp"
#include "driver/process.hpp"

namespace xs::bench {

/// How a measurement ended.
struct Outcome {
  enum class Kind { kDone, kTooSlow, kFailed };
  Kind kind = Kind::kFailed;
  Timing timing = {};       ///< if done
  std::string reason = {};  ///< if failed

  bool done() const { return kind == Kind::kDone; }
};

/// The two workers of one contestant. They sleep except in measure().
class Pair {
 public:
  Pair(Contestant contestant, const Listener& listener, std::string log);
  Pair(Pair&&) = default;
  ~Pair() { stop(); }

  const Entry& entry() const { return contestant_.entry; }
  Entry& entry() { return contestant_.entry; }

  /// Starts both workers and makes them known to each other; throws Failure with the reason, which
  /// is Declined if the provider is there.
  void start();

  /// Afterwards the pair runs only if the outcome is kDone.
  Outcome measure(const Task& task, std::chrono::milliseconds deadline);

  bool running() const { return channels_[0] && channels_[1]; }
  void stop();

 private:
  void launch_and_connect();
  void await_connected();
  void greet(Channel channel, std::array<std::string, 2>& addresses);
  std::optional<Message> next_message(std::chrono::steady_clock::time_point until,
                                      std::array<bool, 2>& waiting) const;
  Outcome collect(std::chrono::milliseconds deadline) const;

  Contestant contestant_;
  const Listener* listener_;
  std::string log_;
  std::vector<Process> processes_;
  std::array<std::optional<Channel>, 2> channels_;
};

}  // namespace xs::bench
