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

// Operands are few: they are copied at once.
RmaRequest* RmaInitiator::make_request(Peer& peer, const AtomicOp& op) noexcept {
  RmaRequest* const request = make_any(peer, op);
  if (!request) return nullptr;
  const Operands operands(op);
  if (operands.size() > 0) {
    if (!make_copy(*request, operands.size())) return nullptr;
    operands.copy_to(request->copy.get());
  }
  request->call = op.call();
  request->count = static_cast<std::uint32_t>(op.count);
  request->out = UserMemory::of(request->copy.get(), operands.size());
  request->in = UserMemory(op.results);
  return with_id(*request);
}

Status RmaInitiator::perform_own(Peer& self, const AtomicOp& op) noexcept {
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
  self.rma.fabric.initiated.atomics.add(op.count * size_of(op.datatype));
  const UserMemory to(op.results);
  const int status = target_.perform_own(self, atomic, util::Bytes(operands).first(given.size()),
                                         to.size() > 0 ? results.data() : nullptr);
  if (status == 0) to.copy_from(util::Bytes(results).first(to.size()), 0);
  reporter_.operation_ended(op.kind, op.flags, op.context, status);
  return Status::kOk;
}

}  // namespace xs::core
