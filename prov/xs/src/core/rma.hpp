// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations on remote memory, as both sides hold them: docs/rma.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/atomic_ops.hpp"
#include "core/gather.hpp"
#include "core/request.hpp"
#include "core/types.hpp"
#include "proto/rma_frame.hpp"

namespace xs::core {

enum class RmaKind : std::uint8_t { kWrite, kRead, kUpdate, kFetch, kCompare };

// Whether the initiator gets bytes back.
constexpr bool reads_back(RmaKind kind) noexcept {
  return kind == RmaKind::kRead || kind == RmaKind::kFetch || kind == RmaKind::kCompare;
}
constexpr bool is_atomic(RmaKind kind) noexcept { return kind >= RmaKind::kUpdate; }

// A read or write. flags: OpFlag.
struct RmaOp {
  RmaKind kind;
  std::span<const struct iovec> iov;  // at most kIovLimit; copied
  PeerAddress to;
  std::uint64_t address;
  std::uint64_t key;
  std::uint64_t data;  // with kOpData
  std::uint32_t flags;
  void* context;
};

// An atomic. kind: kUpdate, kFetch or kCompare.
struct AtomicOp {
  RmaKind kind;
  AtomicOperation operation;
  Datatype datatype;
  std::size_t count;                       // elements
  std::span<const struct iovec> values;    // each at most kIovLimit pieces, `count` elements or, if
  std::span<const struct iovec> compares;  // that means nothing, none
  std::span<const struct iovec> results;
  PeerAddress to;
  std::uint64_t address;
  std::uint64_t key;
  std::uint32_t flags;
  void* context;

  AtomicCall call() const noexcept {
    const auto form = kind == RmaKind::kUpdate  ? proto::AtomicForm::kUpdate
                      : kind == RmaKind::kFetch ? proto::AtomicForm::kFetch
                                                : proto::AtomicForm::kCompare;
    return {form, operation, datatype};
  }
};

// An operation until its answer: on Peer::pending until all its frames are given, then on
// PeerRma::operations.
struct RmaRequest : Queued {
  RmaRequest() noexcept { is_rma = true; }

  RmaKind kind{};
  UserMemory out;                     // what is written, or the operands
  UserMemory in;                      // where what comes back goes
  std::unique_ptr<std::byte[]> copy;  // of what goes out, if `out` points there
  std::uint64_t id = 0;
  std::uint64_t address = 0;
  std::uint64_t key = 0;
  std::uint64_t data = 0;
  AtomicCall call{};        // atomics
  std::uint32_t count = 0;  // their elements
  std::size_t given = 0;    // bytes of `out`
  std::size_t got = 0;      // bytes of `in`
  bool begun = false;       // its first frame is given

  // Bytes of the target's memory.
  std::size_t reach() const noexcept {
    if (is_atomic(kind)) return count * size_of(call.datatype);
    return kind == RmaKind::kRead ? in.size() : out.size();
  }
};

// The write, or atomic, whose first frame has come, and whose last has not.
struct Arriving {
  bool open = false;
  bool is_atomic = false;
  std::uint64_t id = 0;
  std::uint64_t registration = 0;  // its number; means nothing if status is not 0
  std::size_t offset = 0;          // of the write's first byte in the registration
  std::uint64_t length = 0;
  std::uint64_t placed = 0;  // bytes taken
  std::uint64_t data = 0;
  bool has_data = false;
  int status = 0;  // what the answer will say
  proto::Atomic atomic{};
  std::unique_ptr<std::byte[]> operands;  // of an atomic that comes in parts
};

// What a read, or a fetching atomic, is answered with.
struct RmaAnswer : util::ListHook<> {
  std::uint64_t id = 0;
  std::unique_ptr<std::byte[]> results;  // null: what is asked for stands in a registration
  std::uint64_t registration = 0;
  std::size_t offset = 0;  // of the first byte, there
  std::size_t length = 0;
  std::size_t given = 0;
};

struct RmaCount {
  std::uint64_t operations = 0;
  std::uint64_t bytes = 0;

  void add(std::uint64_t length) noexcept {
    ++operations;
    bytes += length;
  }
};

struct RmaCounters {
  RmaCount writes;
  RmaCount reads;
  RmaCount atomics;

  RmaCount& of(RmaKind kind) noexcept {
    if (is_atomic(kind)) return atomics;
    return kind == RmaKind::kRead ? reads : writes;
  }
  bool any() const noexcept {
    return writes.operations + reads.operations + atomics.operations > 0;
  }
};

// By one path, for the statistics. initiated: operations of ours that have begun; served: the
// peer's that were performed. Bytes are those of the target's memory.
struct RmaTraffic {
  RmaCounters initiated;
  RmaCounters served;
};

// What an endpoint and one peer have under way, and what they had.
struct PeerRma {
  util::IntrusiveList<RmaRequest> operations;  // of ours, given, without an answer
  Arriving arriving;                           // the peer's, like all that follows
  util::IntrusiveList<RmaAnswer> answers;
  std::vector<std::uint64_t> withheld;  // ids whose DONE waits for room in the completion queue
  std::size_t owed = 0;                 // operations taken whose answer is not wholly given
  RmaTraffic fabric;
  RmaTraffic ring;
};

}  // namespace xs::core
