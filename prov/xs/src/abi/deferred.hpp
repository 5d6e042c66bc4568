// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations that wait for a counter: fi_trigger(3).
#pragma once
#include <rdma/fi_trigger.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "core/rma.hpp"
#include "core/types.hpp"

namespace xs::abi {

struct Cntr;
struct Ep;

// One that waits. Its pieces are copied, what they point to is the application's.
struct Deferred {
  struct Change {  // of a counter
    Cntr& counter;
    std::uint64_t number;
    bool adds;
  };

  // Copies those lists of its operation that are the application's.
  void keep_pieces() noexcept;
  bool is_ready() const noexcept;
  // False: not now, but nothing has happened.
  bool start() noexcept;
  template <class Op>
  bool start(Op& what) noexcept;
  static bool start(Change& change) noexcept;

  Cntr& trigger;
  Cntr* other;  // that is counted in or changed; may be null
  std::uint64_t threshold;
  const struct fi_deferred_work* work;  // null: a data operation with FI_TRIGGER
  Ep* ep;                               // null: a Change
  using Iov = std::array<struct iovec, core::kIovLimit>;
  std::array<Iov, 3> iov{};  // atomics have three lists of pieces, others one
  std::variant<core::SendOp, core::ReceiveOp, core::RmaOp, core::AtomicOp, Change> op;
};

// Those of a domain, made with the first of them. Inside the gate; whoever leaves it starts what
// has become ready. Counters stay open while anything waits for them.
class DeferredWork {
 public:
  void add(std::unique_ptr<Deferred> deferred);  // throws bad_alloc
  void run() noexcept;
  bool any_ready() const noexcept;
  // False: it does not wait here.
  bool cancel(const struct fi_deferred_work& work) noexcept;
  void cancel_all() noexcept;  // deferred work; not operations with FI_TRIGGER
  void forget(const Ep& ep) noexcept;

 private:
  template <class F>
  std::size_t erase_if(F&& which) noexcept;

  // In order of thresholds, the same ones as they came.
  std::vector<std::unique_ptr<Deferred>> waiting_;
};

// A data operation with FI_TRIGGER, whose context is a struct fi_triggered_context. 0 or a negative
// errno.
ssize_t defer(Ep& ep, const core::SendOp& op) noexcept;
ssize_t defer(Ep& ep, const core::ReceiveOp& op) noexcept;
// These two are made by abi/remote_call.hpp: checked already.
ssize_t defer(Ep& ep, const core::RmaOp& op) noexcept;
ssize_t defer(Ep& ep, const core::AtomicOp& op) noexcept;

// fi_control on a domain.
int control_domain(struct fid* fid, int command, void* arg) noexcept;

}  // namespace xs::abi
