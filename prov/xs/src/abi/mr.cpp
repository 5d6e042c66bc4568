// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_mr(3): memory that peers may reach. Nothing else needs it: no local buffer has to be
// registered.
#include "abi/mr.hpp"

#include <memory>

#include "abi/cntr.hpp"
#include "abi/domain.hpp"
#include "abi/ep.hpp"
#include "abi/errno.hpp"
#include "abi/fabric.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

int close(struct fid* fid) noexcept {
  auto& region = object_of<Region>(fid);
  const Guard guard(region.domain.gate);
  region.domain.memory.remove(region.core);
  for (Cntr* cntr : {region.reads, region.writes})
    if (cntr) --cntr->users;
  if (region.endpoint) --region.endpoint->regions;
  --region.domain.children;
  delete &region;
  return 0;
}

// What peers do here is counted there, too.
int bind_counter(Region& region, Cntr& cntr, std::uint64_t flags) noexcept {
  if (!flags || (flags & ~(FI_REMOTE_READ | FI_REMOTE_WRITE))) return -FI_EBADFLAGS;
  if (&cntr.domain != &region.domain) return -FI_EINVAL;
  if ((flags & FI_REMOTE_READ && region.reads) || (flags & FI_REMOTE_WRITE && region.writes))
    return -FI_EINVAL;
  const auto bind_to = [&](Cntr*& bound, core::Counter*& counted) {
    bound = &cntr;
    counted = &cntr.counter.core;
    ++cntr.users;
  };
  if (flags & FI_REMOTE_READ) bind_to(region.reads, region.core.reads);
  if (flags & FI_REMOTE_WRITE) bind_to(region.writes, region.core.writes);
  return 0;
}

// From now on peers reach it by that endpoint alone.
int bind_endpoint(Region& region, Ep& ep, std::uint64_t flags) noexcept {
  if (flags) return -FI_EBADFLAGS;
  if (&ep.domain != &region.domain || region.endpoint) return -FI_EINVAL;
  if (!ep.core) return -FI_EOPBADSTATE;
  region.endpoint = &ep;
  region.core.only = &ep.core->target();
  ++ep.regions;
  return 0;
}

int bind(struct fid* fid, struct fid* other, std::uint64_t flags) noexcept {
  auto& region = object_of<Region>(fid);
  const Guard guard(region.domain.gate);
  if (other->fclass == FI_CLASS_CNTR) return bind_counter(region, object_of<Cntr>(other), flags);
  if (other->fclass != FI_CLASS_EP) return -FI_EINVAL;
  return bind_endpoint(region, endpoint_of(*reinterpret_cast<struct fid_ep*>(other)), flags);
}

// fi_mr_enable: it is from the beginning.
int control_region(struct fid*, int command, void*) noexcept {
  return command == FI_ENABLE ? 0 : -FI_ENOSYS;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.bind = bind;
  ops.control = control_region;
  return ops;
}();

// A key would have to keep peers out that have another, and there are none. In structs of
// applications that know libfabric before 1.5 alone there may be anything in its place.
bool has_key(const Domain& domain, const struct fi_mr_attr& attr) noexcept {
  return FI_VERSION_GE(domain.fabric.api_version, FI_VERSION(1, 5)) && attr.auth_key_size > 0;
}

// Structs of applications that were built with libfabric before 1.9 end before the interface.
bool is_plain_memory(const Domain& domain, const struct fi_mr_attr& attr) noexcept {
  return FI_VERSION_LT(domain.fabric.api_version, FI_VERSION(1, 9)) ||
         raw(attr.iface) == FI_HMEM_SYSTEM;
}

int regattr(struct fid* fid, const struct fi_mr_attr* attr, std::uint64_t flags,
            struct fid_mr** out) noexcept {
  if (fid->fclass != FI_CLASS_DOMAIN || !attr || !out) return -FI_EINVAL;
  if (attr->iov_count > core::kIovLimit || (attr->iov_count > 0 && !attr->mr_iov))
    return -FI_EINVAL;
  const std::span iov(attr->mr_iov, attr->iov_count);
  if (std::size_t total; attr->offset != 0 || !core::UserMemory::sum(iov, total)) return -FI_EINVAL;
  auto& domain = object_of<Domain>(fid);
  if (has_key(domain, *attr)) return -FI_EINVAL;
  if (!is_plain_memory(domain, *attr)) return -FI_ENOSYS;
  if (flags & ~FI_RMA_EVENT) return -FI_EBADFLAGS;
  return control([&] {
    auto region = std::make_unique<Region>(domain);
    region->fid = {.fclass = FI_CLASS_MR, .context = attr->context, .ops = &fid_ops};
    region->core.memory = core::UserMemory(iov);
    region->core.rights = rights_of(attr->access);
    region->core.key = attr->requested_key;
    const Guard guard(domain.gate);
    if (const int error = domain.memory.add(region->core)) return -error;
    region->key = region->core.key;
    ++domain.children;
    *out = region.release();
    return 0;
  });
}

int regv(struct fid* fid, const struct iovec* iov, std::size_t count, std::uint64_t access,
         std::uint64_t offset, std::uint64_t key, std::uint64_t flags, struct fid_mr** out,
         void* context) noexcept {
  struct fi_mr_attr attr {};
  attr.mr_iov = iov;
  attr.iov_count = count;
  attr.access = access;
  attr.offset = offset;
  attr.requested_key = key;
  attr.context = context;
  return regattr(fid, &attr, flags, out);
}

int reg(struct fid* fid, const void* buffer, std::size_t size, std::uint64_t access,
        std::uint64_t offset, std::uint64_t key, std::uint64_t flags, struct fid_mr** out,
        void* context) noexcept {
  const struct iovec iov { const_cast<void*>(buffer), size };
  return regv(fid, &iov, 1, access, offset, key, flags, out, context);
}

}  // namespace

struct fi_ops_mr memory_ops = [] {
  auto ops = no_ops<struct fi_ops_mr>();
  ops.reg = reg;
  ops.regv = regv;
  ops.regattr = regattr;
  return ops;
}();

}  // namespace xs::abi
