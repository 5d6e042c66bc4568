// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>

#include <cstddef>
#include <mutex>
#include <vector>

namespace xs::abi {

struct Pep;

struct Fabric : fid_fabric {
  using Foreign = struct fid_fabric;

  // Domains and event queues that are open.
  void add_child() noexcept;
  void remove_child() noexcept;

  // Passive endpoints that are open, for who is given a handle of theirs, or of a request: he may
  // look at them during the call, and enter their gates.
  void add_passive(Pep& pep);  // throws bad_alloc
  void remove_passive(const Pep& pep) noexcept;
  template <class F>
  bool any_passive(F&& f) {
    const std::lock_guard lock(passive_mutex);
    for (Pep* pep : passive)
      if (f(*pep)) return true;
    return false;
  }

  std::mutex mutex;
  std::size_t children = 0;
  std::mutex passive_mutex;
  std::vector<Pep*> passive;
};

}  // namespace xs::abi
