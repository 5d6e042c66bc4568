// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

namespace xs::util {

enum class Level { kWarn, kInfo, kDebug };

// Where log lines go; the C face connects it to libfabric's log. Text is one line without a
// newline.
using LogSink = void (*)(Level level, const char* text) noexcept;
using LogEnabled = bool (*)(Level level) noexcept;

// Set once, before any thread of the provider's user can be in it. Without a sink, lines are
// dropped.
void set_log_sink(LogSink sink, LogEnabled enabled) noexcept;

// printf-like; formats only if the level is wanted. Never on the hot path.
void log(Level level, const char* format, ...) noexcept __attribute__((format(printf, 2, 3)));

}  // namespace xs::util
