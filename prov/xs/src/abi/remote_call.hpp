// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations on remote memory as a message describes them: what calls and deferred work have in
// common.
#pragma once
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "abi/data_call.hpp"
#include "core/rma.hpp"

namespace xs::abi {

// 0, or why it is none. The operation refers to the message's pieces.
int make_rma(const Ep& ep, core::RmaKind kind, const struct fi_msg_rma& msg, std::uint64_t flags,
             core::RmaOp& out) noexcept;

// Elements of the user's memory, in pieces of bytes.
struct Elements {
  Elements() noexcept = default;
  // pieces of at most `most` elements of that size together; else `error` is not 0.
  Elements(const struct fi_ioc* ioc, std::size_t pieces, std::size_t size,
           std::size_t most) noexcept;
  Pieces bytes() const noexcept { return {iov.data(), used}; }

  std::array<struct iovec, core::kIovLimit> iov;
  std::size_t used = 0;
  std::size_t count = 0;
  int error = 0;
};

struct Iocs {
  const struct fi_ioc* at = nullptr;
  std::size_t pieces = 0;
};

// An atomic, and the pieces that it refers to.
struct AtomicRequest {
  AtomicRequest() noexcept = default;
  AtomicRequest(const AtomicRequest&) = delete;
  AtomicRequest& operator=(const AtomicRequest&) = delete;

  core::AtomicOp op;
  Elements values;
  Elements compares;
  Elements results;
};

// The same for an atomic.
int make_atomic(const Ep& ep, core::RmaKind kind, const struct fi_msg_atomic& msg, Iocs compares,
                Iocs results, std::uint64_t flags, AtomicRequest& out) noexcept;

}  // namespace xs::abi
