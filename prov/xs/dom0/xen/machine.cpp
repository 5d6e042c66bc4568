// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/xen/machine.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "dom0/ctl/grants.hpp"

extern "C" {
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xentoollog.h>
}

namespace xs::dom0 {

using util::Error;
using util::Result;

namespace {

constexpr std::size_t kFrameSize = 4096;
constexpr unsigned kAtOnce = 64;             // domains
constexpr std::size_t kMostEvents = 1000;    // taken at once: a guest can make any number
constexpr std::uint32_t kMostFrames = 4096;  // of a grant table: far beyond what Xen allows

// The libraries would explain to stderr what we say ourselves.
void say_nothing(struct xentoollog_logger*, xentoollog_level, int, const char*, const char*,
                 va_list) {}
struct xentoollog_logger silence = {say_nothing, nullptr, nullptr};

State state_of(const xc_domaininfo_t& info) noexcept {
  if (info.flags & XEN_DOMINF_dying) return State::kDying;
  if (info.flags & XEN_DOMINF_shutdown) return State::kShutdown;
  if (info.flags & XEN_DOMINF_paused) return State::kPaused;
  return info.flags & XEN_DOMINF_running ? State::kRunning : State::kBlocked;
}

// While it stands, an answer is waited for.
class Patience {
 public:
  explicit Patience(unsigned seconds) noexcept : seconds_(seconds) {
    if (seconds_ > 0) alarm(seconds_);
  }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  ~Patience() {
    if (seconds_ > 0) alarm(0);
  }

 private:
  unsigned seconds_;
};

class XenMachine final : public Machine {
 public:
  explicit XenMachine(unsigned patience) noexcept : patience_(patience) {}
  XenMachine(const XenMachine&) = delete;
  XenMachine& operator=(const XenMachine&) = delete;
  ~XenMachine() override;
  Result<bool> begin();

  Result<std::vector<Domain>> domains() override;
  Result<Grants> grants(std::uint32_t domain) override;
  Result<std::string> read(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<bool> begin_changes() override;
  Result<bool> end_changes(bool keep) override;
  Result<bool> write(const std::string& path, const std::string& value) override;
  Result<bool> remove(const std::string& path) override;
  Result<bool> give(const std::string& path, std::uint32_t domain) override;
  Result<bool> watch(const std::string& path) override;
  Result<std::vector<std::string>> wait(std::uint64_t milliseconds, int descriptor) override;

 private:
  unsigned patience_;
  xc_interface* hypervisor_ = nullptr;
  xenforeignmemory_handle* memory_ = nullptr;
  struct xs_handle* store_ = nullptr;
  xs_transaction_t transaction_ = XBT_NULL;
};

XenMachine::~XenMachine() {
  if (store_) xs_close(store_);
  if (memory_) xenforeignmemory_close(memory_);
  if (hypervisor_) xc_interface_close(hypervisor_);
}

Error denied(const char* rights, const char* other) noexcept {
  const bool rightless = errno == EACCES || errno == EPERM;
  return rightless ? Error{EACCES, rights} : Error{errno, other};
}

Result<bool> XenMachine::begin() {
  const Patience patience(patience_);
  if (access("/proc/xen", F_OK) != 0 && access("/sys/hypervisor/type", F_OK) != 0)
    return Error{ENODEV, "this machine is no domain of Xen's"};
  hypervisor_ = xc_interface_open(&silence, &silence, 0);
  if (!hypervisor_)
    return denied("no rights on /dev/xen/privcmd: run it as root",
                  "no /dev/xen/privcmd (modprobe xen-privcmd)");
  memory_ = xenforeignmemory_open(&silence, 0);
  if (!memory_) return Error{errno, "other domains' memory can't be mapped"};
  store_ = xs_open(0);
  if (!store_)
    return denied("no rights on the store: run it as root",
                  "the store can't be reached (does xenstored run?)");
  return true;
}

Result<std::vector<Domain>> XenMachine::domains() {
  const Patience patience(patience_);
  std::vector<Domain> all;
  std::array<xc_domaininfo_t, kAtOnce> part{};
  for (std::uint32_t next = 0;;) {
    const int count = xc_domain_getinfolist(hypervisor_, next, part.size(), part.data());
    if (count < 0)
      return denied(
          "Xen does not let this domain see the others: run it in dom0, with the tools "
          "of this Xen's version",
          "Xen does not tell its domains");
    for (int i = 0; i < count; ++i) {
      const xc_domaininfo_t& info = part[static_cast<std::size_t>(i)];
      Domain& domain = all.emplace_back();
      domain = {.id = info.domain, .state = state_of(info), .pages = info.tot_pages};
      std::copy(std::begin(info.handle), std::end(info.handle), domain.uuid.begin());
    }
    if (static_cast<std::size_t>(count) < part.size()) return all;
    next = all.back().id + 1;
  }
}

// The whole table is copied, then counted: its owner goes on writing.
Result<Grants> XenMachine::grants(std::uint32_t domain) {
  const Patience patience(patience_);
  struct gnttab_query_size size {};
  size.dom = static_cast<domid_t>(domain);
  if (xc_gnttab_query_size(hypervisor_, &size) != 0 || size.status != GNTST_okay)
    return Error{EINVAL, "Xen does not tell how large the grant table is"};
  Grants grants{.to = {}, .frames = size.nr_frames, .most_frames = size.max_nr_frames};
  if (size.nr_frames == 0 || size.nr_frames > kMostFrames) return grants;
  if (xc_gnttab_get_version(hypervisor_, domain) != 1)
    return Error{ENOTSUP, "a grant table of another version"};
  void* begin = nullptr;
  auto* const mapped = xenforeignmemory_map_resource(memory_, size.dom, XENMEM_resource_grant_table,
                                                     XENMEM_resource_grant_table_id_shared, 0,
                                                     size.nr_frames, &begin, PROT_READ, 0);
  if (!mapped) return Error{errno, "the grant table can't be mapped"};
  std::vector<std::byte> copy(size.nr_frames * kFrameSize);
  std::memcpy(copy.data(), begin, copy.size());
  xenforeignmemory_unmap_resource(memory_, mapped);
  grants.to = count_grants(copy);
  return grants;
}

Result<std::string> XenMachine::read(const std::string& path) {
  const Patience patience(patience_);
  unsigned size = 0;
  void* const value = xs_read(store_, transaction_, path.c_str(), &size);
  if (!value) return Error{errno, "the store's node can't be read"};
  std::string text(static_cast<const char*>(value), size);
  std::free(value);
  return text;
}

Result<std::vector<std::string>> XenMachine::list(const std::string& path) {
  const Patience patience(patience_);
  unsigned count = 0;
  char** const names = xs_directory(store_, transaction_, path.c_str(), &count);
  if (!names) return Error{errno, "the store's node can't be listed"};
  std::vector<std::string> all(names, names + count);
  std::free(names);
  return all;
}

Result<bool> XenMachine::begin_changes() {
  const Patience patience(patience_);
  transaction_ = xs_transaction_start(store_);
  if (transaction_ == XBT_NULL) return Error{errno, "the store begins no transaction"};
  return true;
}

Result<bool> XenMachine::end_changes(bool keep) {
  const Patience patience(patience_);
  const xs_transaction_t transaction = std::exchange(transaction_, XBT_NULL);
  if (!xs_transaction_end(store_, transaction, !keep))
    return Error{errno, "the store does not take the changes"};
  return true;
}

Result<bool> XenMachine::write(const std::string& path, const std::string& value) {
  const Patience patience(patience_);
  if (!xs_write(store_, transaction_, path.c_str(), value.data(),
                static_cast<unsigned>(value.size())))
    return Error{errno, "the store's node can't be written"};
  return true;
}

Result<bool> XenMachine::remove(const std::string& path) {
  const Patience patience(patience_);
  if (!xs_rm(store_, transaction_, path.c_str()))
    return Error{errno, "the store's node can't be removed"};
  return true;
}

Result<bool> XenMachine::give(const std::string& path, std::uint32_t domain) {
  const Patience patience(patience_);
  struct xs_permissions owner {};
  owner.id = domain;
  owner.perms = XS_PERM_NONE;
  if (!xs_set_permissions(store_, transaction_, path.c_str(), &owner, 1))
    return Error{errno, "the store's node can't be given to the domain"};
  return true;
}

// All watches have one token: the path tells enough.
Result<bool> XenMachine::watch(const std::string& path) {
  const Patience patience(patience_);
  if (!xs_watch(store_, path.c_str(), "xsctl")) return Error{errno, "the store can't be watched"};
  return true;
}

Result<std::vector<std::string>> XenMachine::wait(std::uint64_t milliseconds, int descriptor) {
  std::array<struct pollfd, 2> waits{{{xs_fileno(store_), POLLIN, 0}, {descriptor, POLLIN, 0}}};
  constexpr std::uint64_t kLongest = 3'600'000;
  poll(waits.data(), waits.size(), static_cast<int>(std::min(milliseconds, kLongest)));
  std::vector<std::string> paths;
  while (paths.size() < kMostEvents) {
    char** const event = xs_check_watch(store_);
    if (!event && errno != EAGAIN) return Error{errno, "the store's events can't be read"};
    if (!event) break;
    paths.emplace_back(event[XS_WATCH_PATH]);
    std::free(event);
  }
  return paths;
}

}  // namespace

Result<std::unique_ptr<Machine>> open_xen(unsigned patience) {
  auto machine = std::make_unique<XenMachine>(patience);
  if (auto begun = machine->begin(); !begun) return begun.error();
  return std::unique_ptr<Machine>(std::move(machine));
}

}  // namespace xs::dom0
