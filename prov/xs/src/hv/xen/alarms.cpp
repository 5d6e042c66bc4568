// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/alarms.hpp"

#ifdef XS_HAVE_XEN
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "hv/hv.hpp"

// The kernel's header takes its types from Xen's.
extern "C" {
#include <xengnttab.h>
}
#include <xen/gntdev.h>

namespace xs::hv {

using util::Error;
using util::Result;

namespace {

void forget(int device, std::uint64_t index) noexcept {
  struct ioctl_gntdev_unmap_grant_ref unmap = {.index = index, .count = 1, .pad = 0};
  ioctl(device, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
}

int ring_at_its_end(int device, std::uint64_t index, std::uint32_t port) noexcept {
  struct ioctl_gntdev_unmap_notify notify = {
      .index = index, .action = UNMAP_NOTIFY_SEND_EVENT, .event_channel_port = port};
  return ioctl(device, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify);
}

}  // namespace

Result<Alarms> Alarms::open() noexcept {
  UniqueFd device(::open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC));
  if (!device) return Error{errno, "no alarm can be set"};
  return Alarms(std::move(device));
}

Result<const std::byte*> Alarms::set(std::uint32_t domain, std::uint32_t reference,
                                     std::uint32_t port) noexcept {
  const int device = device_.get();
  struct ioctl_gntdev_map_grant_ref grant = {
      .count = 1, .pad = 0, .index = 0, .refs = {{.domid = domain, .ref = reference}}};
  if (ioctl(device, IOCTL_GNTDEV_MAP_GRANT_REF, &grant) != 0)
    return Error{errno, "no alarm can be set"};
  void* const page =
      mmap(nullptr, kPageSize, PROT_READ, MAP_SHARED, device, static_cast<off_t>(grant.index));
  const bool mapped = page != MAP_FAILED;
  if (mapped && ring_at_its_end(device, grant.index, port) == 0)
    return static_cast<const std::byte*>(page);
  const int error = errno;
  if (mapped) munmap(page, kPageSize);
  forget(device, grant.index);
  return Error{error, "no alarm can be set"};
}

void Alarms::clear(const std::byte* page) noexcept {
  struct ioctl_gntdev_get_offset_for_vaddr place = {
      .vaddr = reinterpret_cast<std::uintptr_t>(page), .offset = 0, .count = 0, .pad = 0};
  const bool known = ioctl(device_.get(), IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &place) == 0;
  munmap(const_cast<std::byte*>(page), kPageSize);
  if (known) forget(device_.get(), place.offset);
}

}  // namespace xs::hv
#endif
