// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shared receive contexts: fi_srx_context(3).
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_tagged.h>

#include <cstddef>
#include <cstdint>

#include "abi/domain.hpp"
#include "core/shared_receives.hpp"

namespace xs::abi {

struct Av;

struct Srx : fid_ep {
  using Foreign = struct fid_ep;

  Srx(Domain& owner, bool directed, std::uint64_t flags) noexcept
      : fid_ep{}, domain(owner), core(directed), op_flags(flags) {}

  ssize_t receive(const core::ReceiveOp& op) noexcept;
  // By an endpoint, from when it is enabled until it is closed.
  void begin_use(Av& its) noexcept {
    av = &its;
    ++enabled;
  }
  void end_use() noexcept {
    if (--enabled == 0) av = nullptr;
  }

  Domain& domain;
  core::SharedReceives core;
  const std::uint64_t op_flags;  // of the calls that have none
  std::size_t users = 0;         // endpoints bound
  Av* av = nullptr;              // of the enabled ones
  std::size_t enabled = 0;
};

// For an endpoint whose receives are posted elsewhere: its quick way would not see that.
struct fi_ops_tagged& tagged_ops_without_receives() noexcept;

}  // namespace xs::abi
