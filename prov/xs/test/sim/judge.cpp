// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/judge.hpp"

#include <cstdarg>
#include <cstdio>

#include "util/log.hpp"

namespace xs::sim {

namespace {
const Judge* listening = nullptr;  // to the log of the code under test
void log_line(util::Level, const char* text) noexcept { listening->trace("log: %s", text); }
bool log_wanted(util::Level) noexcept { return listening != nullptr; }
}  // namespace

Judge::Judge(util::Clock& clock, bool tracing) noexcept
    : clock_(clock), began_(clock.now()), tracing_(tracing) {
  util::set_log_sink(log_line, log_wanted);
  if (tracing) listening = this;
}

Judge::~Judge() { listening = nullptr; }

void Judge::fail(const char* format, ...) noexcept {
  if (failed()) return;
  char line[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  reason_ = line;
  trace("FAILED: %s", line);
}

void Judge::trace(const char* format, ...) const noexcept {
  if (!tracing_) return;
  const double now = static_cast<double>(clock_.now() - began_) / util::kMillisecond;
  std::printf("%12.4f ms  ", now);
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::putchar('\n');
}

}  // namespace xs::sim
