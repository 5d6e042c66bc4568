// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstddef>
#include <vector>

#include "abi/domain.hpp"
#include "core/address_book.hpp"

namespace xs::abi {

struct Eq;

struct Av : fid_av {
  using Foreign = struct fid_av;

  Av(Domain& owner, bool async) noexcept : fid_av{}, domain(owner), events(async) {}

  Domain& domain;
  core::AddressBook book;
  const bool events;  // FI_EVENT: insertions report to eq
  // Of a shared one: what map_addr tells, the number of each insertion.
  std::vector<fi_addr_t> numbers;
  Eq* eq = nullptr;
  std::size_t users = 0;  // bindings of endpoints
};

}  // namespace xs::abi
