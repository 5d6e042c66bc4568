// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <string>

#include "util/clock.hpp"

namespace xs::sim {

// The first thing that went wrong in a run, and, if wanted, a line for everything that happened.
class Judge {
 public:
  Judge(util::Clock& clock, bool tracing) noexcept;
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  void fail(const char* format, ...) noexcept __attribute__((format(printf, 2, 3)));
  bool failed() const noexcept { return !reason_.empty(); }
  const std::string& reason() const noexcept { return reason_; }

  bool tracing() const noexcept { return tracing_; }
  void trace(const char* format, ...) const noexcept __attribute__((format(printf, 2, 3)));

 private:
  util::Clock& clock_;
  util::Nanoseconds began_;
  bool tracing_;
  std::string reason_;
};

}  // namespace xs::sim
