// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fi_endpoint.h>

#include <cstddef>

#include "abi/domain.hpp"

namespace xs::abi {

// A shared transmit context. Endpoints bind to it and send as ever: they have nothing dear that
// sharing would save.
struct Stx : fid_stx {
  using Foreign = struct fid_stx;

  explicit Stx(Domain& owner) noexcept : fid_stx{}, domain(owner) {}

  Domain& domain;
  std::size_t users = 0;  // endpoints that are bound
};

}  // namespace xs::abi
