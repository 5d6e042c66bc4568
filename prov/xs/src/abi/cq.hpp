// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>

#include <cstddef>
#include <mutex>

#include "abi/domain.hpp"
#include "core/cq.hpp"

namespace xs::abi {

struct Cq : fid_cq {
  using Foreign = struct fid_cq;

  Cq(Domain& owner, const struct fi_cq_attr& attr);

  // As fi_cq_readfrom. Looks first and progresses only if no completion is there, or if nothing is
  // asked for.
  ssize_t read(void* buffer, std::size_t count, fi_addr_t* source) noexcept;
  // As fi_cq_sreadfrom; timeout in milliseconds, negative: for ever. threshold: completions to wait
  // for.
  ssize_t wait_read(void* buffer, std::size_t count, fi_addr_t* source, std::size_t threshold,
                    int timeout) noexcept;
  // Ends one wait_read, the present or the next one.
  void signal() noexcept;
  int try_wait() noexcept;

  Domain& domain;
  core::CompletionQueue core;
  const enum fi_wait_obj wait_object;
  const enum fi_cq_wait_cond wait_condition;
  std::size_t users = 0;  // bindings of endpoints

 private:
  ssize_t take(void* buffer, std::size_t count, fi_addr_t* source) noexcept;
  bool take_signal() noexcept;

  std::mutex signal_mutex_;  // also under FI_THREAD_DOMAIN: a signal comes from another thread by
                             // its nature
  bool signaled_ = false;
};

}  // namespace xs::abi
