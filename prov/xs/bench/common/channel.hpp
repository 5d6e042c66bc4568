// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/stopwatch.hpp"
#include "common/unique_fd.hpp"
#include "common/workload.hpp"

namespace xs::bench {

/// What driver and workers say to each other, in the order of a worker's life.
enum class Verb : std::uint32_t {
  kHello,      ///< worker: I am `side`, my address is `text`
  kDeclined,   ///< worker: the provider doesn't offer what I need, `text`; I am about to exit
  kConnect,    ///< driver: your peer's address is `text`
  kConnected,  ///< worker: I know my peer, and have met whoever else I shall
  kRun,        ///< driver: do `task` with your peer
  kResult,     ///< worker: the turns took `timing`
  kRest,       ///< driver: both are through; sleep until the next message
  kFailed,     ///< worker: `text` went wrong, I am about to exit
};

struct Message {
  Verb verb = Verb::kFailed;
  std::uint32_t side = 0;
  Task task = {};
  Timing timing = {};
  std::string text = {};  ///< at most kMaxText bytes
};

constexpr std::size_t kMaxText = 4096;

/// A connected stream socket between the driver and one worker. One thread.
class Channel {
 public:
  explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}

  /// Connects to the driver that listens at `place` (Listener::place); throws Failure.
  static Channel connect_to(const std::string& place);

  /// Throws Failure, also if the other end is gone.
  void send(const Message& message) const;

  /// Sleeps until a message is there; nothing if the other end is gone.
  std::optional<Message> receive() const;

  /// Whether receive() would return at once, after waiting for at most `patience`.
  bool readable(std::chrono::milliseconds patience) const;

  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

/// The driver's end, where workers connect.
class Listener {
 public:
  /// Listens at a path, which must not exist and is removed again, or at an IPv4 address of this
  /// machine, for workers of other ones; throws Failure.
  explicit Listener(std::string where);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The next worker, or nothing if none comes within `patience`.
  std::optional<Channel> accept(std::chrono::milliseconds patience) const;

  /// What workers need to know: the path, or ADDRESS:PORT.
  const std::string& place() const { return place_; }

 private:
  std::string place_;
  UniqueFd fd_;
};

}  // namespace xs::bench
