// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>

#include <cstddef>
#include <optional>

#include "abi/domain.hpp"
#include "abi/wait.hpp"
#include "core/cq.hpp"
#include "util/hint.hpp"

namespace xs::abi {

// Sleepers on a completion queue wait for so many completions, or an error.
class CompletionsAwaited final : public Awaited {
 public:
  explicit CompletionsAwaited(const core::CompletionQueue& queue) noexcept : queue_(queue) {}
  bool ends(const Sleeper& sleeper) const noexcept override {
    return queue_.has(sleeper.threshold);
  }
  bool has_news() const noexcept override { return queue_.has(1); }

 private:
  const core::CompletionQueue& queue_;
};

struct Cq : fid_cq {
  using Foreign = struct fid_cq;

  Cq(Domain& owner, const struct fi_cq_attr& attr);

  // Inside the gate. 0 or a negative errno; throws bad_alloc.
  int open_wait();
  // As fi_cq_readfrom. Looks first and progresses only if no completion is there, or an error, and
  // now and then in any case. Who is given what a pass has found often reads on until there is no
  // more before he goes on, as Open MPI does. That is told without another pass, which would most
  // often find nothing, and stand between him and his message. Who reads no entries wants the pass.
  ssize_t read(void* buffer, std::size_t count, fi_addr_t* source) noexcept {
    if (gave_all_.take() && count > 0 && still_empty()) return -FI_EAGAIN;
    return read_inside(buffer, count, source);
  }
  // As fi_cq_sreadfrom; timeout in milliseconds, negative: for ever. threshold: completions to wait
  // for.
  ssize_t wait_read(void* buffer, std::size_t count, fi_addr_t* source, std::size_t threshold,
                    int timeout) noexcept;
  // As fi_trywait.
  int try_wait() noexcept;

  Domain& domain;
  core::CompletionQueue core;
  const enum fi_wait_obj wait_object;
  const enum fi_cq_wait_cond wait_condition;
  std::size_t users = 0;  // bindings of endpoints
  const CompletionsAwaited awaited{core};
  std::optional<QueueWait> wait;  // unless FI_WAIT_NONE

 private:
  bool still_empty() noexcept {
    const Guard guard(domain.gate);
    return core.empty();
  }
  ssize_t read_inside(void* buffer, std::size_t count, fi_addr_t* source) noexcept;
  ssize_t read_new(void* buffer, std::size_t count, fi_addr_t* source) noexcept;
  ssize_t take(void* buffer, std::size_t count, fi_addr_t* source) noexcept;

  unsigned reads_ = 0;   // that found something queued
  util::Hint gave_all_;  // the last read made a pass, and was given all that this had found
};

}  // namespace xs::abi
