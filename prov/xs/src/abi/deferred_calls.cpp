// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The calls that put operations off, checked as far as they can be at once.
#include <new>
#include <utility>

#include "abi/cntr.hpp"
#include "abi/data_call.hpp"
#include "abi/deferred.hpp"
#include "abi/domain.hpp"
#include "abi/ep.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"
#include "abi/remote_call.hpp"

namespace xs::abi {

namespace {

Cntr* counter_in(const Domain& domain, struct fid_cntr* fid) noexcept {
  if (!fid || fid->fid.fclass != FI_CLASS_CNTR) return nullptr;
  auto& cntr = object_of<Cntr>(fid);
  return &cntr.domain == &domain ? &cntr : nullptr;
}

int put_off(Domain& domain, Deferred deferred) noexcept {
  return control([&] {
    const Guard guard(domain.gate);
    if (!domain.deferred) {
      domain.deferred = std::make_unique<DeferredWork>();
      domain.gate.set_deferred(*domain.deferred);
    }
    domain.deferred->add(std::make_unique<Deferred>(std::move(deferred)));
    return 0;
  });
}

// What may be found out at once is.
template <class Op>
int check(const Ep& ep, const Op& op) noexcept {
  if (!ep.core) return -FI_EOPBADSTATE;
  return valid(op.iov.data(), op.iov.size()) ? 0 : -FI_EINVAL;
}
int check_send(const Ep& ep, const core::SendOp& op) noexcept {
  if (op.flags & core::kOpInject) return -FI_EINVAL;  // the buffer would have to be ours
  if (const int rc = check(ep, op)) return rc;
  return too_long(ep, op.iov, op.flags) ? -FI_EMSGSIZE : 0;
}
template <class Op>
int check_remote(const Ep& ep, const Op& op) noexcept {
  if (op.flags & core::kOpInject) return -FI_EINVAL;
  return ep.core ? 0 : -FI_EOPBADSTATE;
}
int check_receive(const Ep& ep, const core::ReceiveOp& op) noexcept {
  constexpr auto kOthers =
      core::kOpPeek | core::kOpClaim | core::kOpDiscard | core::kOpMultiReceive;
  return ep.srx || (op.flags & kOthers) ? -FI_EINVAL : check(ep, op);
}

template <class Op>
Deferred with_pieces(Cntr& trigger, Cntr* completion, std::uint64_t threshold,
                     const struct fi_deferred_work* work, Ep& ep, const Op& op) noexcept {
  Deferred deferred{trigger, completion, threshold, work, &ep, {}, op};
  deferred.keep_pieces();
  return deferred;
}

template <class Op>
ssize_t defer_triggered(Ep& ep, const Op& op) noexcept {
  const auto* when = static_cast<const struct fi_triggered_context*>(op.context);
  if (!when) return -FI_EINVAL;
  if (raw(when->event_type) != FI_TRIGGER_THRESHOLD) return -FI_ENOSYS;
  Cntr* const trigger = counter_in(ep.domain, when->trigger.threshold.cntr);
  if (!trigger) return -FI_EINVAL;
  return put_off(ep.domain, with_pieces(*trigger, nullptr, when->trigger.threshold.threshold,
                                        nullptr, ep, op));
}

}  // namespace

ssize_t defer(Ep& ep, const core::SendOp& op) noexcept {
  const int rc = check_send(ep, op);
  return rc ? rc : defer_triggered(ep, op);
}

ssize_t defer(Ep& ep, const core::ReceiveOp& op) noexcept {
  const int rc = check_receive(ep, op);
  return rc ? rc : defer_triggered(ep, op);
}

ssize_t defer(Ep& ep, const core::RmaOp& op) noexcept {
  const int rc = check_remote(ep, op);
  return rc ? rc : defer_triggered(ep, op);
}

ssize_t defer(Ep& ep, const core::AtomicOp& op) noexcept {
  const int rc = check_remote(ep, op);
  return rc ? rc : defer_triggered(ep, op);
}

namespace {

// ---- Deferred work ----

// The room that the application gives us for it is as large as we need.
static_assert(sizeof(core::Work) <= sizeof(struct fi_context2));

struct Request {
  Domain& domain;
  struct fi_deferred_work& work;
  Cntr& trigger;
  Cntr* completion;
};

void* note(const Request& request, bool tells, void* context) noexcept {
  core::Counter* const completion =
      request.completion ? &request.completion->counter.core : nullptr;
  return new (&request.work.context) core::Work{completion, context, tells};
}

int queue_change(const Request& request, bool adds) noexcept {
  const struct fi_op_cntr* const op = request.work.op.cntr;
  Cntr* const counter = op ? counter_in(request.domain, op->cntr) : nullptr;
  if (!counter || request.completion) return -FI_EINVAL;
  return put_off(request.domain, {request.trigger,
                                  counter,
                                  request.work.threshold,
                                  &request.work,
                                  nullptr,
                                  {},
                                  Deferred::Change{*counter, op->value, adds}});
}

// The endpoint's own counters and queues hear nothing of it, but where FI_COMPLETION asks for that.
constexpr std::uint32_t as_work(std::uint32_t flags) noexcept {
  return (flags & ~std::uint32_t{core::kOpCompletion}) | core::kOpWork;
}

template <class Work, class F>
int for_endpoint(const Domain& domain, const Work* work, F&& queue) noexcept {
  if (!work || !work->ep) return -FI_EINVAL;
  Ep& ep = endpoint_of(*work->ep);
  return &ep.domain == &domain ? queue(ep) : -FI_EINVAL;
}

template <class Message>
int queue_send(const Request& request, Ep& ep, const Message& msg, std::uint64_t tag,
               std::uint64_t flags, std::uint32_t kind) noexcept {
  std::uint32_t op_flags;
  if (!ep.send_flags(flags, op_flags)) return -FI_EBADFLAGS;
  core::SendOp op{.iov = Pieces(msg.msg_iov, msg.iov_count),
                  .to = ep.connection ? core::Connection::kPeer : msg.addr,
                  .tag = tag,
                  .data = msg.data,
                  .flags = as_work(op_flags) | kind,
                  .context = nullptr};
  if (const int rc = check_send(ep, op)) return rc;
  op.context = note(request, (flags & FI_COMPLETION) != 0, msg.context);
  return put_off(request.domain, with_pieces(request.trigger, request.completion,
                                             request.work.threshold, &request.work, ep, op));
}

template <class Message>
int queue_receive(const Request& request, Ep& ep, const Message& msg, std::uint64_t tag,
                  std::uint64_t ignore, std::uint64_t flags, bool tagged) noexcept {
  std::uint32_t op_flags;
  if (!ep.receive_flags(flags, tagged, op_flags)) return -FI_EBADFLAGS;
  core::ReceiveOp op{.iov = Pieces(msg.msg_iov, msg.iov_count),
                     .from = msg.addr,
                     .tag = tag,
                     .ignore = ignore,
                     .flags = as_work(op_flags),
                     .context = nullptr};
  if (const int rc = check_receive(ep, op)) return rc;
  op.context = note(request, (flags & FI_COMPLETION) != 0, msg.context);
  return put_off(request.domain, with_pieces(request.trigger, request.completion,
                                             request.work.threshold, &request.work, ep, op));
}

// One on remote memory.
template <class Op>
int queue_remote(const Request& request, Ep& ep, Op& op, std::uint64_t flags,
                 void* context) noexcept {
  op.flags = as_work(op.flags);
  if (const int rc = check_remote(ep, op)) return rc;
  op.context = note(request, (flags & FI_COMPLETION) != 0, context);
  return put_off(request.domain, with_pieces(request.trigger, request.completion,
                                             request.work.threshold, &request.work, ep, op));
}

int queue_rma(const Request& request, core::RmaKind kind, const struct fi_op_rma* work) noexcept {
  return for_endpoint(request.domain, work, [&](Ep& ep) {
    core::RmaOp op;
    if (ep.rma != &rma_ops) return -FI_ENOSYS;
    if (const int rc = make_rma(ep, kind, work->msg, work->flags, op)) return rc;
    return queue_remote(request, ep, op, work->flags, work->msg.context);
  });
}

template <class Work>
int queue_atomic(const Request& request, core::RmaKind kind, const Work* work, Iocs compares,
                 Iocs results) noexcept {
  return for_endpoint(request.domain, work, [&](Ep& ep) {
    AtomicRequest made;
    if (ep.atomic != &atomic_ops) return -FI_ENOSYS;
    if (const int rc = make_atomic(ep, kind, work->msg, compares, results, work->flags, made))
      return rc;
    return queue_remote(request, ep, made.op, work->flags, work->msg.context);
  });
}

Iocs results_of(const struct fi_msg_fetch& fetch) noexcept {
  return {fetch.msg_iov, fetch.iov_count};
}

int queue_message(const Request& request, const struct fi_op_msg* work, bool sends) noexcept {
  return for_endpoint(request.domain, work, [&](Ep& ep) {
    if (sends) return queue_send(request, ep, work->msg, 0, work->flags, 0);
    return queue_receive(request, ep, work->msg, 0, 0, work->flags, false);
  });
}

int queue_tagged(const Request& request, const struct fi_op_tagged* work, bool sends) noexcept {
  return for_endpoint(request.domain, work, [&](Ep& ep) {
    const struct fi_msg_tagged& msg = work->msg;
    if (sends) return queue_send(request, ep, msg, msg.tag, work->flags, core::kOpTagged);
    return queue_receive(request, ep, msg, msg.tag, msg.ignore, work->flags, true);
  });
}

int queue(const Request& request) noexcept {
  using core::RmaKind;
  const auto& op = request.work.op;
  switch (raw(request.work.op_type)) {
    case FI_OP_SEND:
      return queue_message(request, op.msg, true);
    case FI_OP_RECV:
      return queue_message(request, op.msg, false);
    case FI_OP_TSEND:
      return queue_tagged(request, op.tagged, true);
    case FI_OP_TRECV:
      return queue_tagged(request, op.tagged, false);
    case FI_OP_READ:
      return queue_rma(request, RmaKind::kRead, op.rma);
    case FI_OP_WRITE:
      return queue_rma(request, RmaKind::kWrite, op.rma);
    case FI_OP_ATOMIC:
      return queue_atomic(request, RmaKind::kUpdate, op.atomic, {}, {});
    case FI_OP_FETCH_ATOMIC:
      if (!op.fetch_atomic) return -FI_EINVAL;
      return queue_atomic(request, RmaKind::kFetch, op.fetch_atomic, {},
                          results_of(op.fetch_atomic->fetch));
    case FI_OP_COMPARE_ATOMIC:
      if (!op.compare_atomic) return -FI_EINVAL;
      return queue_atomic(
          request, RmaKind::kCompare, op.compare_atomic,
          {op.compare_atomic->compare.msg_iov, op.compare_atomic->compare.iov_count},
          results_of(op.compare_atomic->fetch));
    case FI_OP_CNTR_SET:
    case FI_OP_CNTR_ADD:
      return queue_change(request, raw(request.work.op_type) == FI_OP_CNTR_ADD);
    default:
      return -FI_ENOSYS;
  }
}

int queue_work(Domain& domain, struct fi_deferred_work* work) noexcept {
  if (!work) return -FI_EINVAL;
  Cntr* const trigger = counter_in(domain, work->triggering_cntr);
  Cntr* const completion = counter_in(domain, work->completion_cntr);
  if (!trigger || (work->completion_cntr && !completion)) return -FI_EINVAL;
  return queue({domain, *work, *trigger, completion});
}

int cancel_work(Domain& domain, const struct fi_deferred_work* work) noexcept {
  if (!work) return -FI_EINVAL;
  const Guard guard(domain.gate);
  return domain.deferred && domain.deferred->cancel(*work) ? 0 : -FI_ENOENT;
}

int flush_work(Domain& domain) noexcept {
  const Guard guard(domain.gate);
  if (domain.deferred) domain.deferred->cancel_all();
  return 0;
}

}  // namespace

int control_domain(struct fid* fid, int command, void* arg) noexcept {
  auto& domain = object_of<Domain>(fid);
  switch (command) {
    case FI_QUEUE_WORK:
      return queue_work(domain, static_cast<struct fi_deferred_work*>(arg));
    case FI_CANCEL_WORK:
      return cancel_work(domain, static_cast<struct fi_deferred_work*>(arg));
    case FI_FLUSH_WORK:
      return arg ? -FI_EINVAL : flush_work(domain);
    default:
      return -FI_ENOSYS;
  }
}

}  // namespace xs::abi
