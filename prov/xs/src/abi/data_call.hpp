// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the calls of fi_msg(3), fi_tagged(3) and fi_rma(3) have in common: they name the same
// operations.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "abi/ep.hpp"
#include "core/types.hpp"

namespace xs::abi {

using Pieces = std::span<const struct iovec>;

inline struct iovec piece(const void* at, std::size_t size) noexcept {
  return {const_cast<void*>(at), size};
}

// False: too many pieces, or a piece without memory.
inline bool valid(const struct iovec* iov, std::size_t count) noexcept {
  if (count > core::kIovLimit || (count > 0 && !iov)) return false;
  for (std::size_t i = 0; i < count; ++i)
    if (!iov[i].iov_base && iov[i].iov_len > 0) return false;
  return true;
}

// Whether so long a message may be sent in this way. Sums that overflow are found in core.
inline bool too_long(const Ep& ep, Pieces iov, std::uint32_t flags) noexcept {
  std::size_t total = 0;
  for (const struct iovec& part : iov) total += part.iov_len;
  return total > (flags & core::kOpInject ? ep.inject_size : ep.largest_message);
}

inline ssize_t send(Ep& ep, const core::SendOp& op) noexcept {
  if (!valid(op.iov.data(), op.iov.size())) return -FI_EINVAL;
  if (too_long(ep, op.iov, op.flags)) return -FI_EMSGSIZE;
  return ep.send(op);
}

inline ssize_t receive(Ep& ep, const core::ReceiveOp& op) noexcept {
  if (!valid(op.iov.data(), op.iov.size())) return -FI_EINVAL;
  return ep.receive(op);
}

// The same with flags of the call, of which FI_TRIGGER puts the operation off.
template <class Op>
ssize_t act(Ep& ep, const Op& op, std::uint64_t flags) noexcept {
  if (flags & FI_TRIGGER) return defer(ep, op);
  if constexpr (std::is_same_v<Op, core::SendOp>)
    return send(ep, op);
  else
    return receive(ep, op);
}

// fi_inject and its kin: the buffer is free at once, and there is never a completion.
inline constexpr std::uint32_t kInjectFlags = core::kOpInject | core::kOpUnheard;

}  // namespace xs::abi
