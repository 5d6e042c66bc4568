// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/stx.hpp"

#include <memory>

#include "abi/errno.hpp"
#include "abi/info.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

int close(struct fid* fid) noexcept {
  auto& stx = object_of<Stx>(fid);
  const Guard guard(stx.domain.gate);
  if (stx.users > 0) return -FI_EBUSY;
  --stx.domain.children;
  delete &stx;
  return 0;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  return ops;
}();

struct fi_ops_ep context_ops = no_ops<struct fi_ops_ep>();

}  // namespace

int open_stx(struct fid_domain* fid, struct fi_tx_attr* attr, struct fid_stx** out,
             void* context) noexcept {
  if (!out) return -FI_EINVAL;
  if (attr && !acceptable(*attr)) return -FI_EINVAL;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    auto stx = std::make_unique<Stx>(domain);
    stx->fid = {.fclass = FI_CLASS_STX_CTX, .context = context, .ops = &fid_ops};
    stx->ops = &context_ops;
    const Guard guard(domain.gate);
    ++domain.children;
    *out = stx.release();
    return 0;
  });
}

}  // namespace xs::abi
