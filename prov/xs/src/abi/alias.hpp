// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint by another name, with default flags of its own: fi_ep_alias.
#pragma once
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

#include <cstdint>

#include "abi/ep.hpp"

namespace xs::abi {

struct Alias : fid_ep {
  using Foreign = struct fid_ep;

  explicit Alias(Ep& endpoint) noexcept
      : fid_ep{},
        of(endpoint),
        send_flags(endpoint.send_op_flags),
        receive_flags(endpoint.receive_op_flags) {}

  Ep& of;  // stays open as long
  std::uint64_t send_flags;
  std::uint64_t receive_flags;
};

extern struct fi_ops_rma alias_rma_ops;  // abi/alias_remote.cpp
extern struct fi_ops_atomic alias_atomic_ops;

}  // namespace xs::abi
