// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Atomic operations on elements of memory: which there are, and what they do.
#pragma once
#include <cstddef>
#include <cstdint>

#include "proto/rma_frame.hpp"

namespace xs::core {

// Their numbers are libfabric's (enum fi_op, enum fi_datatype), also on the wire. The C face checks
// that they are.
enum class AtomicOperation : std::uint8_t {
  kMin,
  kMax,
  kSum,
  kProduct,
  kLogicalOr,
  kLogicalAnd,
  kBitOr,
  kBitAnd,
  kLogicalXor,
  kBitXor,
  kRead,
  kWrite,
  kSwapIfEqual,
  kSwapIfNotEqual,
  kSwapIfLessOrEqual,  // than the element is what it is compared with
  kSwapIfLess,
  kSwapIfGreaterOrEqual,
  kSwapIfGreater,
  kSwapMasked,
};
enum class Datatype : std::uint8_t {
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat,
  kDouble,
  kFloatComplex,
  kDoubleComplex,
  kLongDouble,
  kLongDoubleComplex,
  kInt128,
  kUint128,
};

struct AtomicCall {
  proto::AtomicForm form;
  AtomicOperation operation;
  Datatype datatype;
};

// Bytes of an element; 0: no such type.
std::size_t size_of(Datatype type) noexcept;
// Whether there is that operation, of that form, on elements of that type.
bool is_valid(const AtomicCall& call) noexcept;
// Whether it looks at operands: FI_ATOMIC_READ does not.
inline bool has_operand(const AtomicCall& call) noexcept {
  return call.operation != AtomicOperation::kRead;
}

// Where one element stands, and what it meets. Nothing need be aligned.
struct AtomicElement {
  std::byte* at;
  const std::byte* operand;  // if the operation has one
  const std::byte* compare;  // if the form is kCompare
  std::byte* before;         // gets what stood there; may be null
};

// call is valid. A read writes nothing at `at`. To other threads it happens at once, if the element
// has at most eight bytes and is aligned.
void perform(const AtomicCall& call, const AtomicElement& element) noexcept;

}  // namespace xs::core
