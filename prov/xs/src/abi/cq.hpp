// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>

#include <cstddef>
#include <optional>

#include "abi/domain.hpp"
#include "abi/wait.hpp"
#include "core/cq.hpp"

namespace xs::abi {

struct Cq : fid_cq {
  using Foreign = struct fid_cq;

  Cq(Domain& owner, const struct fi_cq_attr& attr);

  // Inside the gate. 0 or a negative errno; throws bad_alloc.
  int open_wait();
  // As fi_cq_readfrom. Looks first and progresses only if no completion is there, or an error, and
  // now and then in any case.
  ssize_t read(void* buffer, std::size_t count, fi_addr_t* source) noexcept;
  // As fi_cq_sreadfrom; timeout in milliseconds, negative: for ever. threshold: completions to wait
  // for.
  ssize_t wait_read(void* buffer, std::size_t count, fi_addr_t* source, std::size_t threshold,
                    int timeout) noexcept;
  // As fi_trywait.
  int try_wait() noexcept;
  // As fi_control on the queue.
  int control(int command, void* arg) noexcept;

  Domain& domain;
  core::CompletionQueue core;
  const enum fi_wait_obj wait_object;
  const enum fi_cq_wait_cond wait_condition;
  std::size_t users = 0;          // bindings of endpoints
  std::optional<QueueWait> wait;  // unless FI_WAIT_NONE

 private:
  ssize_t take(void* buffer, std::size_t count, fi_addr_t* source) noexcept;

  unsigned reads_ = 0;  // that found something
};

}  // namespace xs::abi
