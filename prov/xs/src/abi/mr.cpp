// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory registration. Messages need none (mr_mode 0); who registers all the same gets an object
// that means nothing.
#include <rdma/fi_domain.h>

#include "abi/domain.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

struct Region : fid_mr {
  using Foreign = struct fid_mr;
  explicit Region(Domain& owner) noexcept : fid_mr{}, domain(owner) {}
  Domain& domain;
};

int close(struct fid* fid) noexcept {
  auto& region = object_of<Region>(fid);
  const Guard guard(region.domain.gate);
  --region.domain.children;
  delete &region;
  return 0;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  return ops;
}();

int regattr(struct fid* fid, const struct fi_mr_attr* attr, std::uint64_t flags,
            struct fid_mr** out) noexcept {
  if (fid->fclass != FI_CLASS_DOMAIN || !attr || !out) return -FI_EINVAL;
  if (attr->iov_count > core::kIovLimit || (attr->iov_count > 0 && !attr->mr_iov))
    return -FI_EINVAL;
  if (raw(attr->iface) != FI_HMEM_SYSTEM) return -FI_ENOSYS;
  if (flags != 0) return -FI_EBADFLAGS;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    auto* region = new Region(domain);
    region->fid = {.fclass = FI_CLASS_MR, .context = attr->context, .ops = &fid_ops};
    region->key = attr->requested_key;
    const Guard guard(domain.gate);
    ++domain.children;
    *out = region;
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
