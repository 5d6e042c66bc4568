// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The one exported symbol, and the log.
#include "abi/provider.hpp"

#include <rdma/fabric.h>
#include <rdma/providers/fi_log.h>

#include <cerrno>

#include "abi/env.hpp"
#include "abi/own_thread.hpp"
#include "util/log.hpp"

namespace xs::abi {

namespace {

// libfabric writes into it.
struct fi_provider g_provider;

enum fi_log_level level_of(util::Level level) noexcept {
  switch (level) {
    case util::Level::kWarn:
      return FI_LOG_WARN;
    case util::Level::kInfo:
      return FI_LOG_INFO;
    case util::Level::kDebug:
      break;
  }
  return FI_LOG_DEBUG;
}

bool log_wanted(util::Level level) noexcept {
  return fi_log_enabled(&g_provider, level_of(level), FI_LOG_CORE) != 0;
}

void write_log(util::Level level, const char* text) noexcept {
  const int saved = errno;
  fi_log(&g_provider, level_of(level), FI_LOG_CORE, kProviderName, 0, "%s\n", text);
  errno = saved;
}

void cleanup() noexcept {
  OwnThread::end_all();
  util::set_log_sink(nullptr, nullptr);
}

}  // namespace

struct fi_provider& provider() noexcept {
  return g_provider;
}

}  // namespace xs::abi

extern "C" FI_EXT_INI {
  using namespace xs::abi;
  g_provider.version = kProviderVersion;
  // The version of the library at hand: it hides providers that were made for an older one.
  g_provider.fi_version = fi_version();
  g_provider.name = kProviderName;
  g_provider.getinfo = getinfo;
  g_provider.fabric = open_fabric;
  g_provider.cleanup = cleanup;
  xs::util::set_log_sink(write_log, log_wanted);
  define_variables();
  return &g_provider;
}
