// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/channels.hpp"

#ifdef XS_HAVE_XEN
#include <dlfcn.h>
#include <poll.h>

#include <cerrno>
#include <new>

#include "hv/xen/keeper.hpp"

extern "C" {
#include <xenevtchn.h>
}

namespace xs::hv {

using util::Error;
using util::Result;

namespace {

// All that is used of the library, which is never closed.
struct Table {
  decltype(&::xenevtchn_open) open;
  decltype(&::xenevtchn_close) close;
  decltype(&::xenevtchn_fd) fd;
  decltype(&::xenevtchn_bind_unbound_port) bind_unbound_port;
  decltype(&::xenevtchn_bind_interdomain) bind_interdomain;
  decltype(&::xenevtchn_unbind) unbind;
  decltype(&::xenevtchn_notify) notify;
  decltype(&::xenevtchn_pending) pending;
  decltype(&::xenevtchn_unmask) unmask;
};

template <class Function>
bool find(void* library, const char* name, Function& to) noexcept {
  to = reinterpret_cast<Function>(dlsym(library, name));
  return to != nullptr;
}

bool load(Table& table) noexcept {
  void* const library = dlopen("libxenevtchn.so.1", RTLD_NOW | RTLD_LOCAL);
  return library && find(library, "xenevtchn_open", table.open) &&
         find(library, "xenevtchn_close", table.close) && find(library, "xenevtchn_fd", table.fd) &&
         find(library, "xenevtchn_bind_unbound_port", table.bind_unbound_port) &&
         find(library, "xenevtchn_bind_interdomain", table.bind_interdomain) &&
         find(library, "xenevtchn_unbind", table.unbind) &&
         find(library, "xenevtchn_notify", table.notify) &&
         find(library, "xenevtchn_pending", table.pending) &&
         find(library, "xenevtchn_unmask", table.unmask);
}

class Channels final : public EventChannels {
 public:
  Channels(const Table& table, xenevtchn_handle* handle) noexcept
      : table_(table), handle_(handle) {}
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;
  ~Channels() override {
    if (handle_) table_.close(handle_);
  }

  Result<std::uint32_t> offer(std::uint32_t domain) noexcept override {
    return made(table_.bind_unbound_port(handle_, domain));
  }
  Result<std::uint32_t> bind(std::uint32_t domain, std::uint32_t port) noexcept override {
    return made(table_.bind_interdomain(handle_, domain, port));
  }
  void close(std::uint32_t port) noexcept override { table_.unbind(handle_, port); }
  bool ring(std::uint32_t port) noexcept override { return table_.notify(handle_, port) == 0; }
  Result<std::uint32_t> next() noexcept override;
  void unmask(std::uint32_t port) noexcept override { table_.unmask(handle_, port); }
  int descriptor() const noexcept override { return table_.fd(handle_); }
  bool abandon(int alarms) noexcept override;

 private:
  static Result<std::uint32_t> made(xenevtchn_port_or_error_t port) noexcept {
    if (port < 0) return Error{errno, "no event channel"};
    return static_cast<std::uint32_t>(port);
  }

  const Table& table_;
  xenevtchn_handle* handle_;
};

// Closing is no more than close(), and not the last.
bool Channels::abandon(int alarms) noexcept {
  const bool kept = keep_for_ever({descriptor(), alarms});
  if (kept) table_.close(handle_);
  handle_ = nullptr;
  return kept;
}

// Its header says: look first, or it may block, whatever the descriptor's flags are.
Result<std::uint32_t> Channels::next() noexcept {
  struct pollfd ready = {.fd = descriptor(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 0) != 1) return Error{EAGAIN, "nothing was rung"};
  const auto port = table_.pending(handle_);
  if (port < 0) return Error{errno == EAGAIN ? EIO : errno, "the event channels fail"};
  return static_cast<std::uint32_t>(port);
}

}  // namespace

Result<std::unique_ptr<EventChannels>> open_event_channels(
    struct xentoollog_logger* logger) noexcept {
  static Table table;
  static const bool whole = load(table);
  if (!whole) return Error{ENOSYS, "no libxenevtchn (Debian: libxenevtchn1)"};
  xenevtchn_handle* const handle = table.open(logger, 0);
  if (!handle)
    return errno == EACCES || errno == EPERM
               ? Error{errno, "no rights on /dev/xen/evtchn (let this user read and write it)"}
               : Error{errno, "no /dev/xen/evtchn (modprobe xen-evtchn)"};
  std::unique_ptr<EventChannels> channels(new (std::nothrow) Channels(table, handle));
  if (channels) return channels;
  table.close(handle);
  return Error{ENOMEM, "no memory for event channels"};
}

}  // namespace xs::hv
#endif
