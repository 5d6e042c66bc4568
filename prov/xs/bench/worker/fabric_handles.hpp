// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>

#include <cstdio>
#include <memory>

namespace xs::bench {

struct InfoFree {
  void operator()(struct fi_info* info) const { fi_freeinfo(info); }
};

/// Closes any object of libfabric; a failure is only worth a remark.
struct FidClose {
  template <class Fid>
  void operator()(Fid* fid) const {
    if (const int error = fi_close(&fid->fid))
      std::fprintf(stderr, "fi_close: %s\n", fi_strerror(-error));
  }
};

using Info = std::unique_ptr<struct fi_info, InfoFree>;
using Fabric = std::unique_ptr<struct fid_fabric, FidClose>;
using Domain = std::unique_ptr<struct fid_domain, FidClose>;
using AddressVector = std::unique_ptr<struct fid_av, FidClose>;
using CompletionQueue = std::unique_ptr<struct fid_cq, FidClose>;
using MemoryRegion = std::unique_ptr<struct fid_mr, FidClose>;
using Endpoint = std::unique_ptr<struct fid_ep, FidClose>;

}  // namespace xs::bench
