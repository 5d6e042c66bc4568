// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Owners of libfabric objects. An owner must go before the owners of the objects that it was opened
// on.
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>

#include <memory>

#include "util/log.hpp"

namespace xs::carrier {

// A failure to close is no reason for anything: tcp;ofi_rxm, for one, keeps a domain busy for ever
// when a connection broke during a rendezvous.
template <class Object>
struct CloseFid {
  void operator()(Object* object) const noexcept {
    if (const int rc = fi_close(&object->fid)) {
      util::log(util::Level::kInfo, "inner provider: closing an object of class %zu: %s",
                object->fid.fclass, fi_strerror(-rc));
    }
  }
};

using FabricPtr = std::unique_ptr<struct fid_fabric, CloseFid<struct fid_fabric>>;
using DomainPtr = std::unique_ptr<struct fid_domain, CloseFid<struct fid_domain>>;
using AddressTablePtr = std::unique_ptr<struct fid_av, CloseFid<struct fid_av>>;
using QueuePtr = std::unique_ptr<struct fid_cq, CloseFid<struct fid_cq>>;
using EndpointPtr = std::unique_ptr<struct fid_ep, CloseFid<struct fid_ep>>;

}  // namespace xs::carrier
