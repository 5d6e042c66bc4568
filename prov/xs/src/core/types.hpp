// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace xs::core {

// fi_addr_t. kAnyPeer is FI_ADDR_UNSPEC (and FI_ADDR_NOTAVAIL where a source is reported).
using PeerAddress = std::uint64_t;
inline constexpr PeerAddress kAnyPeer = ~0ull;

inline constexpr std::size_t kIovLimit = 4;
inline constexpr std::size_t kInjectLimit = 4096;  // bytes
// Sends under way per peer: tx_attr.size, and by docs/wire.md section 6 the most announcements that
// a peer may have unmatched.
inline constexpr std::size_t kSendLimit = 1024;
inline constexpr std::size_t kReceiveLimit =
    65536;  // receives posted per endpoint; rx_attr.size announces 1024

// What a data operation came to; the C face turns it into a negative fi_errno.
enum class Status : std::uint8_t {
  kOk,
  kAgain,      // EAGAIN: no room now; progress, then try again
  kInvalid,    // EINVAL
  kNoMessage,  // ENOENT: nothing to cancel
  kTooLong,    // EMSGSIZE
  kNoMemory,   // ENOMEM
  kClosed,     // EOPBADSTATE: endpoint not enabled
};

enum OpFlag : std::uint32_t {
  kOpTagged = 1u << 0,
  kOpData = 1u << 1,        // send: SendOp::data goes along
  kOpInject = 1u << 2,      // buffer is free on return
  kOpCompletion = 1u << 3,  // write a completion entry on success (errors are always reported)
  kOpTransmitComplete = 1u << 4,  // complete when acknowledged
  kOpDeliveryComplete = 1u << 5,
  kOpMultiReceive = 1u << 6,
  kOpPeek = 1u << 7,
  kOpClaim = 1u << 8,
  kOpDiscard = 1u << 9,
  kOpFence = 1u << 10,  // starts when all before it, to the same peer, have completed
  // No completion, not for an error either: of who injected, and gave no context.
  kOpUnheard = 1u << 11,
  kOpWork = 1u << 31,  // context is a Work, which says what is told of it; without kOpCompletion
};

class Counter;

// An operation that counts where it says, and nowhere else. It lives until the operation ends.
struct Work {
  Counter* completion;  // may be null
  void* context;
  bool tells;  // a completion queue hears of it
};

struct SendOp {
  std::span<const struct iovec> iov;  // at most kIovLimit; copied
  PeerAddress to;
  std::uint64_t tag;
  std::uint64_t data;
  std::uint32_t flags;
  void* context;
};

// What the quick ways (core/quick.hpp) are asked for besides memory and peer. flags: kOpTagged, and
// those that ask for no more than a completion or data.
struct SendPlan {
  std::uint64_t tag;
  std::uint64_t data;
  std::uint32_t flags;
  void* context;
};
struct ReceivePlan {
  std::uint64_t tag;
  std::uint64_t ignore;
  std::uint32_t flags;
  void* context;
};

struct ReceiveOp {
  std::span<const struct iovec> iov;  // at most kIovLimit; copied
  PeerAddress from;                   // kAnyPeer: any
  std::uint64_t tag;
  std::uint64_t ignore;
  std::uint32_t flags;
  void* context;
};

}  // namespace xs::core
