// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "xsctl/libraries.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

extern "C" {
#include <xenforeignmemory.h>
}

namespace xs::test {

FakeLibraries libraries;

namespace {

constexpr std::size_t kFrame = 4096;

template <class Handle>
Handle* open(int error) {
  errno = error;
  if (error) return nullptr;
  ++libraries.open;
  return reinterpret_cast<Handle*>(&libraries);
}

std::size_t frames_of(std::uint32_t domain) {
  const std::size_t size = libraries.tables[domain].size() * sizeof(grant_entry_v1_t);
  return (size + kFrame - 1) / kFrame;
}

}  // namespace

}  // namespace xs::test

using xs::test::libraries;

extern "C" {

// Whether this is a domain of Xen's is asked of files.
int access(const char* path, int) noexcept {
  return libraries.is_xen && std::string_view(path) == "/proc/xen" ? 0 : -1;
}

xc_interface* xc_interface_open(xentoollog_logger*, xentoollog_logger*, unsigned) {
  return xs::test::open<xc_interface>(libraries.privcmd);
}
int xc_interface_close(xc_interface*) { return --libraries.open, 0; }

int xc_domain_getinfolist(xc_interface*, uint32_t first, unsigned most, xc_domaininfo_t* info) {
  ++libraries.asked;
  errno = libraries.asking;
  if (errno) return -1;
  int count = 0;
  for (const xc_domaininfo_t& each : libraries.domains)
    if (each.domain >= first && static_cast<unsigned>(count) < most) info[count++] = each;
  return count;
}

int xc_gnttab_query_size(xc_interface*, struct gnttab_query_size* query) {
  const bool known = libraries.tables.contains(query->dom);
  query->status = known ? GNTST_okay : GNTST_bad_domain;
  query->nr_frames = known ? static_cast<uint32_t>(xs::test::frames_of(query->dom)) : 0;
  query->max_nr_frames = 64;
  return 0;
}
int xc_gnttab_get_version(xc_interface*, uint32_t domain) {
  const auto found = libraries.versions.find(domain);
  return found == libraries.versions.end() ? 1 : found->second;
}

xenforeignmemory_handle* xenforeignmemory_open(xentoollog_logger*, unsigned) {
  return xs::test::open<xenforeignmemory_handle>(0);
}
int xenforeignmemory_close(xenforeignmemory_handle*) { return --libraries.open, 0; }
xenforeignmemory_resource_handle* xenforeignmemory_map_resource(xenforeignmemory_handle*,
                                                                domid_t domain, unsigned type,
                                                                unsigned id, unsigned long frame,
                                                                unsigned long frames, void** to,
                                                                int rights, int flags) {
  // One's own can't be had so.
  const bool asked_well =
      type == XENMEM_resource_grant_table && id == XENMEM_resource_grant_table_id_shared &&
      frame == 0 && rights == PROT_READ && flags == 0 && frames == xs::test::frames_of(domain);
  errno = domain == 0 ? EPERM : EINVAL;
  if (domain == 0 || !asked_well) return nullptr;
  const auto& table = libraries.tables[domain];
  libraries.memory.assign(frames * xs::test::kFrame, std::byte{});
  std::memcpy(libraries.memory.data(), table.data(), table.size() * sizeof table[0]);
  *to = libraries.memory.data();
  ++libraries.mapped;
  return reinterpret_cast<xenforeignmemory_resource_handle*>(&libraries);
}
int xenforeignmemory_unmap_resource(xenforeignmemory_handle*, xenforeignmemory_resource_handle*) {
  std::fill(libraries.memory.begin(), libraries.memory.end(), std::byte{0xff});
  return --libraries.mapped, 0;
}

}  // extern "C"
