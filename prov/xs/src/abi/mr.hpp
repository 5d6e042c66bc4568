// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include "core/memory.hpp"

namespace xs::abi {

struct Cntr;
struct Domain;
struct Ep;

struct Region : fid_mr {
  using Foreign = struct fid_mr;
  explicit Region(Domain& owner) noexcept : fid_mr{}, domain(owner) {}

  Domain& domain;
  core::Registration core;
  Cntr* reads = nullptr;  // bound, as all that follows
  Cntr* writes = nullptr;
  Ep* endpoint = nullptr;
};

// FI_REMOTE_READ and FI_REMOTE_WRITE among capabilities or rights, as core knows them.
constexpr std::uint8_t rights_of(std::uint64_t flags) noexcept {
  return static_cast<std::uint8_t>((flags & FI_REMOTE_READ ? core::kReadable : 0) |
                                   (flags & FI_REMOTE_WRITE ? core::kWritable : 0));
}

extern struct fi_ops_mr memory_ops;

}  // namespace xs::abi
