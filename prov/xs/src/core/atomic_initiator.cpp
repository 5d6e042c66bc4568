// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The initiator's side of atomics: docs/rma.md section 2.
#include <array>
#include <new>

#include "core/rma_initiator.hpp"
#include "core/rma_target.hpp"
#include "core/sender.hpp"

namespace xs::core {

namespace {

struct Operands {
  UserMemory values;
  UserMemory compares;
  explicit Operands(const AtomicOp& op) noexcept : values(op.values), compares(op.compares) {}
  std::size_t size() const noexcept { return values.size() + compares.size(); }
  void copy_to(std::byte* to) const noexcept {
    values.copy_to(to, 0, values.size());
    compares.copy_to(to + values.size(), 0, compares.size());
  }
};

}  // namespace

Status RmaInitiator::start(const AtomicOp& op) noexcept {
  if (!reporter_.send_room(op.flags)) return Status::kAgain;
  Peer* const peer = peers_.of(op.to);
  if (!peer) return Status::kInvalid;
  if (peer->self) return Sender::holds_back(*peer, op.flags) ? Status::kAgain : perform_own(op);
  if (!sender_.admits(*peer)) return Status::kAgain;
  RmaRequest* const request = make_request(*peer, op);
  if (!request) return Status::kAgain;
  sender_.enqueue(*request);
  return Status::kOk;
}

// Operands are few: they are copied at once.
RmaRequest* RmaInitiator::make_request(Peer& peer, const AtomicOp& op) noexcept {
  RmaRequest* const request = requests_.make();
  if (!request) return nullptr;
  const Operands operands(op);
  if (operands.size() > 0) {
    request->copy.reset(new (std::nothrow) std::byte[operands.size()]);
    if (!request->copy) {
      requests_.drop(request);
      return nullptr;
    }
    operands.copy_to(request->copy.get());
  }
  request->peer = &peer;
  request->flags = op.flags;
  request->context = op.context;
  request->kind = op.kind;
  request->address = op.address;
  request->key = op.key;
  request->call = op.call();
  request->count = static_cast<std::uint32_t>(op.count);
  request->out = UserMemory::of(request->copy.get(), operands.size());
  request->in = UserMemory(op.results);
  return with_id(*request);
}

Status RmaInitiator::perform_own(const AtomicOp& op) noexcept {
  std::array<std::byte, proto::kLargestOperands> operands;
  std::array<std::byte, proto::kLargestResult> results;
  const Operands given(op);
  given.copy_to(operands.data());
  const AtomicCall call = op.call();
  const proto::Atomic atomic{.id = 0,
                             .key = op.key,
                             .address = op.address,
                             .operation = static_cast<std::uint8_t>(call.operation),
                             .datatype = static_cast<std::uint8_t>(call.datatype),
                             .form = call.form,
                             .count = static_cast<std::uint32_t>(op.count),
                             .length = static_cast<std::uint32_t>(given.size())};
  const UserMemory to(op.results);
  const int status = target_.perform_own(atomic, util::Bytes(operands).first(given.size()),
                                         to.size() > 0 ? results.data() : nullptr);
  if (status == 0) to.copy_from(util::Bytes(results).first(to.size()), 0);
  reporter_.operation_ended(op.kind, op.flags, op.context, status);
  return Status::kOk;
}

}  // namespace xs::core
