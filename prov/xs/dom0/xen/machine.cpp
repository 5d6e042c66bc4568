// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/xen/machine.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

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

class XenMachine final : public Machine {
 public:
  XenMachine() = default;
  XenMachine(const XenMachine&) = delete;
  XenMachine& operator=(const XenMachine&) = delete;
  ~XenMachine() override;
  Result<bool> begin();

  Result<std::vector<Domain>> domains() override;
  Result<Grants> grants(std::uint32_t domain) override;
  Result<std::string> read(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;

 private:
  xc_interface* hypervisor_ = nullptr;
  xenforeignmemory_handle* memory_ = nullptr;
  struct xs_handle* store_ = nullptr;
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
      all.push_back({info.domain, state_of(info), info.tot_pages});
    }
    if (static_cast<std::size_t>(count) < part.size()) return all;
    next = all.back().id + 1;
  }
}

// The whole table is copied, then counted: its owner goes on writing.
Result<Grants> XenMachine::grants(std::uint32_t domain) {
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
  unsigned size = 0;
  void* const value = xs_read(store_, XBT_NULL, path.c_str(), &size);
  if (!value) return Error{errno, "the store's node can't be read"};
  std::string text(static_cast<const char*>(value), size);
  std::free(value);
  return text;
}

Result<std::vector<std::string>> XenMachine::list(const std::string& path) {
  unsigned count = 0;
  char** const names = xs_directory(store_, XBT_NULL, path.c_str(), &count);
  if (!names) return Error{errno, "the store's node can't be listed"};
  std::vector<std::string> all(names, names + count);
  std::free(names);
  return all;
}

}  // namespace

Result<std::unique_ptr<Machine>> open_xen() {
  auto machine = std::make_unique<XenMachine>();
  if (auto begun = machine->begin(); !begun) return begun.error();
  return std::unique_ptr<Machine>(std::move(machine));
}

}  // namespace xs::dom0
