// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target's side of atomics: docs/rma.md section 3.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/rma_target.hpp"
#include "core/sender.hpp"

namespace xs::core {

using proto::AtomicForm;

namespace {

AtomicCall call_of(const proto::Atomic& atomic) noexcept {
  return {atomic.form, static_cast<AtomicOperation>(atomic.operation),
          static_cast<Datatype>(atomic.datatype)};
}

// 0, or why it can't be performed, wherever. Counts are bounded before they are multiplied.
int fault_of(const proto::Atomic& atomic) noexcept {
  const AtomicCall call = call_of(atomic);
  if (!is_valid(call)) return EOPNOTSUPP;
  const std::size_t element = size_of(call.datatype);
  if (atomic.count > proto::kLargestResult / element) return EINVAL;
  const std::size_t operands =
      (has_operand(call) ? 1u : 0u) + (call.form == AtomicForm::kCompare ? 1u : 0u);
  return atomic.length == operands * atomic.count * element ? 0 : EINVAL;
}

std::uint64_t bytes_of(const proto::Atomic& atomic) noexcept {
  return std::uint64_t{atomic.count} * size_of(static_cast<Datatype>(atomic.datatype));
}

unsigned rights_for(const proto::Atomic& atomic) noexcept {
  if (atomic.form == AtomicForm::kUpdate) return kWritable;
  return has_operand(call_of(atomic)) ? kReadable | kWritable : kReadable;
}

RmaKind kind_of(AtomicForm form) noexcept {
  if (form == AtomicForm::kUpdate) return RmaKind::kUpdate;
  return form == AtomicForm::kFetch ? RmaKind::kFetch : RmaKind::kCompare;
}

}  // namespace

RmaTarget::Place RmaTarget::find(const proto::Atomic& atomic) const noexcept {
  if (const int fault = fault_of(atomic)) return {.status = fault};
  return find({atomic.key, atomic.address, bytes_of(atomic)}, rights_for(atomic));
}

Taken RmaTarget::atomic_received(Peer& peer, util::Bytes head, Payload& payload) noexcept {
  Taken taken = Taken::kYes;
  const auto settled = settle(payload, taken);
  if (!settled) return taken;
  constexpr std::size_t kRest = proto::Atomic::kSize - proto::kPayloadHeadSize;
  std::array<std::byte, proto::Atomic::kSize> whole;
  std::memcpy(whole.data(), head.data(), proto::kPayloadHeadSize);
  std::memcpy(whole.data() + proto::kPayloadHeadSize, settled->data(), kRest);
  const auto atomic = proto::decode_atomic(whole);
  const util::Bytes bytes = settled->subspan(kRest);
  if (!atomic || bytes.size() > atomic->length) return Taken::kLie;
  if (peer.session->goodbye_sent()) return Taken::kYes;
  if (!admit(peer)) return Taken::kLie;
  Arriving& arriving = peer.rma.arriving;
  arriving = {};
  arriving.open = arriving.is_atomic = true;
  arriving.id = atomic->id;
  arriving.length = atomic->length;
  arriving.atomic = *atomic;
  arriving.status = find(*atomic).status;
  if (bytes.size() == atomic->length) {
    atomic_arrived(peer, bytes);
    return Taken::kYes;
  }
  if (arriving.status == 0) arriving.operands.reset(new (std::nothrow) std::byte[atomic->length]);
  if (arriving.status == 0 && !arriving.operands) arriving.status = ENOMEM;
  place(arriving, bytes);
  return Taken::kYes;
}

// All its operands are there. The place is looked up now: it may have been closed since the first
// of them came.
void RmaTarget::atomic_arrived(Peer& peer, util::Bytes operands) noexcept {
  Arriving arriving = std::move(peer.rma.arriving);
  peer.rma.arriving = {};
  const proto::Atomic& atomic = arriving.atomic;
  if (arriving.status != 0) return say_done(peer, atomic.id, arriving.status);
  const Place place = find(atomic);
  if (place.status != 0) return say_done(peer, atomic.id, place.status);
  const auto size = static_cast<std::size_t>(bytes_of(atomic));
  if (atomic.form == AtomicForm::kUpdate || size == 0) {
    perform_all(atomic, place, operands, nullptr);
    arrived(peer, place.registration, kind_of(atomic.form), size);
    return say_done(peer, atomic.id, 0);
  }
  RmaAnswer* const answer = answers_.make();
  if (answer) answer->results.reset(new (std::nothrow) std::byte[size]);
  if (!answer || !answer->results) {
    if (answer) answers_.drop(answer);
    return say_done(peer, atomic.id, ENOMEM);
  }
  answer->id = atomic.id;
  answer->length = size;
  perform_all(atomic, place, operands, answer->results.get());
  arrived(peer, place.registration, kind_of(atomic.form), size);
  peer.rma.answers.push_back(*answer);
  sender_.pump(peer);
}

// Element by element. One may stand in two pieces of its registration.
void RmaTarget::perform_all(const proto::Atomic& atomic, const Place& place, util::Bytes operands,
                            std::byte* results) noexcept {
  const AtomicCall call = call_of(atomic);
  const std::size_t size = size_of(call.datatype);
  const std::byte* const values = has_operand(call) ? operands.data() : nullptr;
  const std::byte* const compares =
      call.form == AtomicForm::kCompare ? operands.data() + atomic.count * size : nullptr;
  const UserMemory& memory = place.registration->memory;
  for (std::size_t at = 0; at < atomic.count * size; at += size) {
    std::array<std::byte, 32> apart;  // the largest element
    const std::span<std::byte> run = memory.run(place.offset + at);
    const bool whole = run.size() >= size;
    if (!whole) memory.copy_to(apart.data(), place.offset + at, size);
    perform(call, {.at = whole ? run.data() : apart.data(),
                   .operand = values ? values + at : nullptr,
                   .compare = compares ? compares + at : nullptr,
                   .before = results ? results + at : nullptr});
    if (!whole && values) memory.copy_from(util::Bytes(apart).first(size), place.offset + at);
  }
}

int RmaTarget::perform_own(Peer& self, const proto::Atomic& atomic, util::Bytes operands,
                           std::byte* results) noexcept {
  const Place place = find(atomic);
  if (place.status != 0) return place.status;
  perform_all(atomic, place, operands, results);
  arrived(self, place.registration, kind_of(atomic.form),
          static_cast<std::size_t>(bytes_of(atomic)));
  return 0;
}

}  // namespace xs::core
