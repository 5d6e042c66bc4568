// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/libraries.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "hv/hv.hpp"
#include "hv/unique_fd.hpp"

#ifdef XS_HAVE_XEN
#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>

#include "hv/xen/alarms.hpp"
#include "hv/xen/home.hpp"
#include "util/log.hpp"

extern "C" {
#include <xengnttab.h>
#include <xenstore.h>
#include <xentoollog.h>
}
#endif

namespace xs::hv {

using util::Error;
using util::Result;

namespace {

constexpr const char* kNoDomain = "this machine is no domain of Xen's";

bool is_xen() noexcept {
  const UniqueFd file(open("/sys/hypervisor/type", O_RDONLY | O_CLOEXEC));
  std::array<char, 4> text{};
  if (file && read(file.get(), text.data(), 3) == 3) return std::string_view(text.data()) == "xen";
  return access("/proc/xen", F_OK) == 0;
}

}  // namespace

#ifndef XS_HAVE_XEN
Result<std::shared_ptr<XenCalls>> open_xen_libraries() noexcept {
  if (!is_xen()) return Error{ENODEV, kNoDomain};
  return Error{ENOTSUP, "xs was built without Xen's headers (Debian: libxen-dev)"};
}
#else

namespace {

// All that is used of the libraries. They are never closed: a thread of libxenstore's may still be
// on its way out.
struct Table {
  decltype(&::xengntshr_open) gntshr_open;
  decltype(&::xengntshr_close) gntshr_close;
  decltype(&::xengntshr_share_pages) gntshr_share_pages;
  decltype(&::xengntshr_share_page_notify) gntshr_share_page_notify;
  decltype(&::xengntshr_unshare) gntshr_unshare;
  decltype(&::xengnttab_open) gnttab_open;
  decltype(&::xengnttab_close) gnttab_close;
  decltype(&::xengnttab_map_domain_grant_refs) gnttab_map;
  decltype(&::xengnttab_unmap) gnttab_unmap;
  decltype(&::xs_open) store_open;
  decltype(&::xs_close) store_close;
  decltype(&::xs_read) store_read;
  decltype(&::xs_directory) store_directory;
  decltype(&::xs_write) store_write;
  decltype(&::xs_rm) store_rm;
  decltype(&::xs_set_permissions) store_set_permissions;
  decltype(&::xs_watch) store_watch;
  decltype(&::xs_unwatch) store_unwatch;
  decltype(&::xs_check_watch) store_check_watch;
  decltype(&::xs_fileno) store_fileno;
};

template <class Function>
bool find(void* library, const char* name, Function& to) noexcept {
  to = reinterpret_cast<Function>(dlsym(library, name));
  return to != nullptr;
}

bool load_grants(Table& table) noexcept {
  void* const library = dlopen("libxengnttab.so.1", RTLD_NOW | RTLD_LOCAL);
  return library && find(library, "xengntshr_open", table.gntshr_open) &&
         find(library, "xengntshr_close", table.gntshr_close) &&
         find(library, "xengntshr_share_pages", table.gntshr_share_pages) &&
         find(library, "xengntshr_share_page_notify", table.gntshr_share_page_notify) &&
         find(library, "xengntshr_unshare", table.gntshr_unshare) &&
         find(library, "xengnttab_open", table.gnttab_open) &&
         find(library, "xengnttab_close", table.gnttab_close) &&
         find(library, "xengnttab_map_domain_grant_refs", table.gnttab_map) &&
         find(library, "xengnttab_unmap", table.gnttab_unmap);
}

bool load_store(Table& table) noexcept {
  void* library = dlopen("libxenstore.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libxenstore.so.3.0", RTLD_NOW | RTLD_LOCAL);  // before Xen 4.16
  return library && find(library, "xs_open", table.store_open) &&
         find(library, "xs_close", table.store_close) &&
         find(library, "xs_read", table.store_read) &&
         find(library, "xs_directory", table.store_directory) &&
         find(library, "xs_write", table.store_write) && find(library, "xs_rm", table.store_rm) &&
         find(library, "xs_set_permissions", table.store_set_permissions) &&
         find(library, "xs_watch", table.store_watch) &&
         find(library, "xs_unwatch", table.store_unwatch) &&
         find(library, "xs_check_watch", table.store_check_watch) &&
         find(library, "xs_fileno", table.store_fileno);
}

// Loaded once for the process.
const Table* the_table() noexcept {
  static Table table;
  static const bool whole = load_grants(table) && load_store(table);
  return whole ? &table : nullptr;
}

// Without a logger of ours the libraries would write to stderr whenever a stranger's reference
// can't be mapped.
void log_message(struct xentoollog_logger*, xentoollog_level, int, const char*, const char* format,
                 va_list words) noexcept {
  std::array<char, 256> text{};
  std::vsnprintf(text.data(), text.size(), format, words);
  util::log(util::Level::kDebug, "Xen's libraries: %s", text.data());
}
struct xentoollog_logger logger = {log_message, nullptr, nullptr};

class Libraries final : public XenCalls {
 public:
  explicit Libraries(const Table& table) noexcept : table_(table) {}
  Libraries(const Libraries&) = delete;
  Libraries& operator=(const Libraries&) = delete;
  ~Libraries() override;
  Result<bool> begin() noexcept;

  Result<std::byte*> share(std::uint32_t domain,
                           std::span<std::uint32_t> references) noexcept override;
  Result<std::byte*> share_life(std::uint32_t domain, std::uint32_t& reference,
                                std::uint32_t offset) noexcept override;
  std::size_t limit() noexcept override;
  void unshare(std::byte* begin, std::size_t pages) noexcept override;
  Result<const std::byte*> map(std::uint32_t domain,
                               std::span<const std::uint32_t> references) noexcept override;
  void unmap(const std::byte* begin, std::size_t pages) noexcept override;
  Result<const std::byte*> map_alarm(std::uint32_t domain, std::uint32_t reference,
                                     std::uint32_t port) noexcept override;
  void unmap_alarm(const std::byte* page) noexcept override { alarms_->clear(page); }
  int alarms() const noexcept override { return alarms_->descriptor(); }
  Result<std::size_t> read(const char* path, std::span<char> to) noexcept override;
  Result<std::size_t> list(const char* path, std::span<char> to) noexcept override;
  int write(const char* path, std::string_view value) noexcept override;
  int remove(const char* path) noexcept override;
  int permit_all(const char* path, std::uint32_t own) noexcept override;
  int watch(const char* path) noexcept override;
  void unwatch(const char* path) noexcept override;
  bool next_event(std::span<char> path) noexcept override;
  int descriptor() const noexcept override;
  Result<std::unique_ptr<EventChannels>> open_channels() noexcept override {
    return open_event_channels(&logger);
  }

 private:
  const Table& table_;
  xengnttab_handle* gnttab_ = nullptr;
  std::optional<Alarms> alarms_;
  xengntshr_handle* gntshr_ = nullptr;
  struct xs_handle* store_ = nullptr;
  // A connection of its own: one watch too many and libxenstore closes it.
  struct xs_handle* watching_ = nullptr;
  Home home_;
};

Result<bool> Libraries::begin() noexcept {
  const auto failed = [](const char* rights, const char* module) {
    return errno == EACCES || errno == EPERM ? Error{EACCES, rights} : Error{errno, module};
  };
  // When this process ends, what was opened last is released first (read): life pages are cleared
  // before alarms ring.
  gnttab_ = table_.gnttab_open(&logger, 0);
  if (auto opened = Alarms::open()) alarms_ = std::move(*opened);
  if (!gnttab_ || !alarms_)
    return failed("no rights on /dev/xen/gntdev (let this user read and write it)",
                  "no /dev/xen/gntdev (modprobe xen-gntdev)");
  gntshr_ = table_.gntshr_open(&logger, 0);
  if (!gntshr_)
    return failed("no rights on /dev/xen/gntalloc (let this user read and write it)",
                  "no /dev/xen/gntalloc (modprobe xen-gntalloc)");
  store_ = table_.store_open(0);
  watching_ = store_ ? table_.store_open(XS_UNWATCH_FILTER) : nullptr;
  if (!watching_)
    return failed("no rights on /dev/xen/xenbus (let this user read and write it)",
                  "no /dev/xen/xenbus, or the store does not answer");
  home_ = Home::find([this](const char* path) {
    std::array<char, 1> any;
    return static_cast<bool>(read(path, any));
  });
  return true;
}

Libraries::~Libraries() {
  if (watching_) table_.store_close(watching_);
  if (store_) table_.store_close(store_);
  if (gntshr_) table_.gntshr_close(gntshr_);
  if (gnttab_) table_.gnttab_close(gnttab_);
}

// A child's stores would be stores of a second writer, and Xen's mappings are no child's.
void keep_from_children(const void* begin, std::size_t pages) noexcept {
  madvise(const_cast<void*>(begin), pages * kPageSize, MADV_DONTFORK);
}

Result<std::byte*> Libraries::share(std::uint32_t domain,
                                    std::span<std::uint32_t> references) noexcept {
  void* const begin = table_.gntshr_share_pages(
      gntshr_, domain, static_cast<int>(references.size()), references.data(), 0);
  if (!begin) return Error{errno, "pages can't be granted"};
  keep_from_children(begin, references.size());
  return static_cast<std::byte*>(begin);
}

Result<std::byte*> Libraries::share_life(std::uint32_t domain, std::uint32_t& reference,
                                         std::uint32_t offset) noexcept {
  void* const begin = table_.gntshr_share_page_notify(gntshr_, domain, &reference, 0, offset,
                                                      static_cast<evtchn_port_t>(-1));
  if (!begin) return Error{errno, "no page can be granted"};
  keep_from_children(begin, 1);
  return static_cast<std::byte*>(begin);
}

// Root may change it at any time.
std::size_t Libraries::limit() noexcept {
  constexpr std::size_t kDefault = 1024;
  const UniqueFd file(::open("/sys/module/xen_gntalloc/parameters/limit", O_RDONLY | O_CLOEXEC));
  std::array<char, 24> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : 0;
  std::size_t pages = 0;
  const bool known =
      size > 0 && std::from_chars(text.data(), text.data() + size, pages).ec == std::errc{};
  return known ? pages : kDefault;
}

void Libraries::unshare(std::byte* begin, std::size_t pages) noexcept {
  table_.gntshr_unshare(gntshr_, begin, static_cast<std::uint32_t>(pages));
}

Result<const std::byte*> Libraries::map(std::uint32_t domain,
                                        std::span<const std::uint32_t> references) noexcept {
  void* const begin =
      table_.gnttab_map(gnttab_, static_cast<std::uint32_t>(references.size()), domain,
                        const_cast<std::uint32_t*>(references.data()), PROT_READ);
  if (!begin) return Error{errno, "grants can't be mapped"};
  keep_from_children(begin, references.size());
  return static_cast<const std::byte*>(begin);
}

Result<const std::byte*> Libraries::map_alarm(std::uint32_t domain, std::uint32_t reference,
                                              std::uint32_t port) noexcept {
  auto page = alarms_->set(domain, reference, port);
  if (page) keep_from_children(*page, 1);
  return page;
}

void Libraries::unmap(const std::byte* begin, std::size_t pages) noexcept {
  table_.gnttab_unmap(gnttab_, const_cast<std::byte*>(begin), static_cast<std::uint32_t>(pages));
}

Result<std::size_t> Libraries::read(const char* path, std::span<char> to) noexcept {
  unsigned size = 0;
  void* const value = table_.store_read(store_, XBT_NULL, home_.outside(path).data(), &size);
  if (!value) return Error{errno, "the store's node can't be read"};
  const std::size_t taken = std::min<std::size_t>(size, to.size());
  std::copy_n(static_cast<const char*>(value), taken, to.data());
  std::free(value);
  return taken;
}

Result<std::size_t> Libraries::list(const char* path, std::span<char> to) noexcept {
  unsigned count = 0;
  char** const names = table_.store_directory(store_, XBT_NULL, home_.outside(path).data(), &count);
  if (!names) return Error{errno, "the store's node can't be listed"};
  std::size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::string_view name(names[i]);
    if (name.size() + 1 > to.size() - size) break;
    size += name.copy(&to[size], name.size());
    to[size++] = '\n';
  }
  std::free(names);
  return size;
}

int Libraries::write(const char* path, std::string_view value) noexcept {
  const bool written = table_.store_write(store_, XBT_NULL, home_.outside(path).data(),
                                          value.data(), static_cast<unsigned>(value.size()));
  return written ? 0 : errno;
}

int Libraries::remove(const char* path) noexcept {
  return table_.store_rm(store_, XBT_NULL, home_.outside(path).data()) ? 0 : errno;
}

int Libraries::permit_all(const char* path, std::uint32_t own) noexcept {
  struct xs_permissions owner {};
  owner.id = own;
  owner.perms = XS_PERM_READ;
  return table_.store_set_permissions(store_, XBT_NULL, home_.outside(path).data(), &owner, 1)
             ? 0
             : errno;
}

int Libraries::watch(const char* path) noexcept {
  const XenPath whole = home_.outside(path);
  return table_.store_watch(watching_, whole.data(), whole.data()) ? 0 : errno;
}

void Libraries::unwatch(const char* path) noexcept {
  const XenPath whole = home_.outside(path);
  table_.store_unwatch(watching_, whole.data(), whole.data());
}

bool Libraries::next_event(std::span<char> path) noexcept {
  char** const event = table_.store_check_watch(watching_);
  if (!event) return false;
  std::snprintf(path.data(), path.size(), "%s", home_.inside(event[XS_WATCH_PATH]));
  std::free(event);
  return true;
}

int Libraries::descriptor() const noexcept { return table_.store_fileno(watching_); }

}  // namespace

Result<std::shared_ptr<XenCalls>> open_xen_libraries() noexcept try {
  if (!is_xen()) return Error{ENODEV, kNoDomain};
  const Table* const table = the_table();
  if (!table)
    return Error{ENOSYS, "no libxengnttab and libxenstore (Debian: libxengnttab1 libxenstore4)"};
  auto libraries = std::make_shared<Libraries>(*table);
  if (auto begun = libraries->begin(); !begun) return begun.error();
  return std::shared_ptr<XenCalls>(std::move(libraries));
} catch (const std::bad_alloc&) {
  return Error{ENOMEM, "no memory for Xen's libraries"};
}
#endif

}  // namespace xs::hv
