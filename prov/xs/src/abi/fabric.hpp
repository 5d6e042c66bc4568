// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>

#include <cstddef>
#include <mutex>

namespace xs::abi {

struct Fabric : fid_fabric {
  using Foreign = struct fid_fabric;

  // Domains and event queues that are open.
  void add_child() noexcept;
  void remove_child() noexcept;

  std::mutex mutex;
  std::size_t children = 0;
};

}  // namespace xs::abi
