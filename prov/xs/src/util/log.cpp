// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/log.hpp"

#include <cstdarg>
#include <cstdio>

namespace xs::util {

namespace {
LogSink g_sink = nullptr;
LogEnabled g_enabled = nullptr;
}  // namespace

void set_log_sink(LogSink sink, LogEnabled enabled) noexcept {
  g_sink = sink;
  g_enabled = enabled;
}

void log(Level level, const char* format, ...) noexcept {
  if (!g_sink || !g_enabled || !g_enabled(level)) return;
  char line[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(line, sizeof line, format, args);
  va_end(args);
  g_sink(level, line);
}

}  // namespace xs::util
