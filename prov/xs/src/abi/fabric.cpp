// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/fabric.hpp"

#include "abi/cntr.hpp"
#include "abi/cq.hpp"
#include "abi/domain.hpp"
#include "abi/eq.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"
#include "abi/pep.hpp"
#include "abi/provider.hpp"

namespace xs::abi {

void Fabric::add_child() noexcept {
  const std::lock_guard lock(mutex);
  ++children;
}

void Fabric::remove_child() noexcept {
  const std::lock_guard lock(mutex);
  --children;
}

void Fabric::add_passive(Pep& pep) {
  const std::lock_guard lock(passive_mutex);
  passive.push_back(&pep);
}

void Fabric::remove_passive(const Pep& pep) noexcept {
  const std::lock_guard lock(passive_mutex);
  std::erase(passive, &pep);
}

namespace {

int close(struct fid* fid) noexcept {
  auto& fabric = object_of<Fabric>(fid);
  {
    const std::lock_guard lock(fabric.mutex);
    if (fabric.children > 0) return -FI_EBUSY;
  }
  delete &fabric;
  return 0;
}

// Whether a thread may sleep on the wait objects of all of these.
int trywait(struct fid_fabric*, struct fid** fids, int count) noexcept {
  for (int i = 0; i < count; ++i) {
    int rc = -FI_EINVAL;
    if (fids[i]->fclass == FI_CLASS_EQ)
      rc = object_of<Eq>(fids[i]).try_wait();
    else if (fids[i]->fclass == FI_CLASS_CQ)
      rc = object_of<Cq>(fids[i]).try_wait();
    else if (fids[i]->fclass == FI_CLASS_CNTR)
      rc = object_of<Cntr>(fids[i]).try_wait();
    if (rc) return rc;
  }
  return 0;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  return ops;
}();

struct fi_ops_fabric fabric_ops = [] {
  auto ops = no_ops<struct fi_ops_fabric>();
  ops.domain = open_domain;
  ops.eq_open = open_eq;
  ops.passive_ep = open_passive;
  ops.trywait = trywait;
  return ops;
}();

}  // namespace

int open_fabric(struct fi_fabric_attr* attr, struct fid_fabric** out, void* context) noexcept {
  if (!attr || !out) return -FI_EINVAL;
  return control([&] {
    auto* fabric = new Fabric;
    fabric->fid = {.fclass = FI_CLASS_FABRIC, .context = context, .ops = &fid_ops};
    fabric->ops = &fabric_ops;
    fabric->api_version = attr->api_version;
    *out = fabric;
    return 0;
  });
}

}  // namespace xs::abi
