// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/deferred.hpp"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

#include "abi/cntr.hpp"
#include "abi/data_call.hpp"
#include "abi/domain.hpp"
#include "abi/ep.hpp"
#include "abi/errno.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

// ---- Deferred ----

// Of deferred work errors count as well: who waits for so many ends should not wait for ever.
bool Deferred::is_ready() const noexcept {
  const core::Counter& counter = trigger.counter.core;
  return counter.value() + (work ? counter.errors() : 0) >= threshold;
}

bool Deferred::start() noexcept {
  if (const auto* change = std::get_if<Change>(&op)) {
    core::Counter& counter = change->counter.counter.core;
    change->adds ? counter.add(change->number) : counter.set(change->number);
    return true;
  }
  if (auto* send = std::get_if<core::SendOp>(&op)) {
    send->iov = std::span(iov.data(), send->iov.size());
    const core::Status status = ep->core->send(*send);
    if (status == core::Status::kAgain) return false;
    if (status != core::Status::kOk) ep->core->send_failed(*send, -to_errno(status));
    return true;
  }
  auto& receive = std::get<core::ReceiveOp>(op);
  receive.iov = std::span(iov.data(), receive.iov.size());
  const core::Status status = ep->core->receive(receive);
  if (status == core::Status::kAgain) return false;
  if (status != core::Status::kOk) ep->core->receive_failed(receive, -to_errno(status));
  return true;
}

// ---- DeferredWork ----

namespace {

void hold(const Deferred& deferred, std::ptrdiff_t more) noexcept {
  deferred.trigger.users += static_cast<std::size_t>(more);
  if (deferred.other) deferred.other->users += static_cast<std::size_t>(more);
}

}  // namespace

void DeferredWork::add(std::unique_ptr<Deferred> deferred) {
  const auto later = std::ranges::upper_bound(waiting_, deferred->threshold, {},
                                              [](const auto& each) { return each->threshold; });
  hold(**waiting_.insert(later, std::move(deferred)), 1);
}

bool DeferredWork::any_ready() const noexcept {
  return std::ranges::any_of(waiting_, [](const auto& each) { return each->is_ready(); });
}

// What one starts may make another ready that comes before it.
void DeferredWork::run() noexcept {
  for (;;) {
    const auto first =
        std::ranges::find_if(waiting_, [](const auto& each) { return each->is_ready(); });
    if (first == waiting_.end() || !(*first)->start()) return;
    hold(**first, -1);
    waiting_.erase(first);
  }
}

template <class F>
std::size_t DeferredWork::erase_if(F&& which) noexcept {
  return std::erase_if(waiting_, [&](const std::unique_ptr<Deferred>& each) {
    if (!which(*each)) return false;
    hold(*each, -1);
    return true;
  });
}

bool DeferredWork::cancel(const struct fi_deferred_work& work) noexcept {
  return erase_if([&](const Deferred& each) { return each.work == &work; }) > 0;
}

void DeferredWork::cancel_all() noexcept {
  erase_if([](const Deferred& each) { return each.work != nullptr; });
}

void DeferredWork::forget(const Ep& ep) noexcept {
  erase_if([&](const Deferred& each) { return each.ep == &ep; });
}

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
int check_receive(const Ep& ep, const core::ReceiveOp& op) noexcept {
  constexpr auto kOthers =
      core::kOpPeek | core::kOpClaim | core::kOpDiscard | core::kOpMultiReceive;
  return op.flags & kOthers ? -FI_EINVAL : check(ep, op);
}

template <class Op>
Deferred with_pieces(Cntr& trigger, Cntr* completion, std::uint64_t threshold,
                     const struct fi_deferred_work* work, Ep& ep, const Op& op) noexcept {
  Deferred deferred{trigger, completion, threshold, work, &ep, {}, op};
  std::ranges::copy(op.iov, deferred.iov.begin());
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

template <class Message>
int queue_send(const Request& request, Ep& ep, const Message& msg, std::uint64_t tag,
               std::uint64_t flags, std::uint32_t kind) noexcept {
  std::uint32_t op_flags;
  if (!ep.send_flags(flags, op_flags)) return -FI_EBADFLAGS;
  core::SendOp op{.iov = Pieces(msg.msg_iov, msg.iov_count),
                  .to = msg.addr,
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

template <class Op, class F>
int for_endpoint(const Domain& domain, const Op* op, F&& queue) noexcept {
  if (!op || !op->ep) return -FI_EINVAL;
  Ep& ep = endpoint_of(*op->ep);
  return &ep.domain == &domain ? queue(ep, op->msg, op->flags) : -FI_EINVAL;
}

int queue(const Request& request) noexcept {
  const auto& op = request.work.op;
  switch (raw(request.work.op_type)) {
    case FI_OP_SEND:
      return for_endpoint(request.domain, op.msg, [&](Ep& ep, const auto& msg, auto flags) {
        return queue_send(request, ep, msg, 0, flags, 0);
      });
    case FI_OP_TSEND:
      return for_endpoint(request.domain, op.tagged, [&](Ep& ep, const auto& msg, auto flags) {
        return queue_send(request, ep, msg, msg.tag, flags, core::kOpTagged);
      });
    case FI_OP_RECV:
      return for_endpoint(request.domain, op.msg, [&](Ep& ep, const auto& msg, auto flags) {
        return queue_receive(request, ep, msg, 0, 0, flags, false);
      });
    case FI_OP_TRECV:
      return for_endpoint(request.domain, op.tagged, [&](Ep& ep, const auto& msg, auto flags) {
        return queue_receive(request, ep, msg, msg.tag, msg.ignore, flags, true);
      });
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
