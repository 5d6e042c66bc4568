// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The exchange desk: what the rooms below say, as negative fi_errno. Nowhere else is one made of
// the other.
#pragma once
#include <rdma/fi_errno.h>

#include <new>

#include "core/types.hpp"
#include "util/result.hpp"

namespace xs::abi {

constexpr int to_errno(core::Status status) noexcept {
  switch (status) {
    case core::Status::kOk:
      return 0;
    case core::Status::kAgain:
      return -FI_EAGAIN;
    case core::Status::kInvalid:
      return -FI_EINVAL;
    case core::Status::kNoMessage:
      return -FI_ENOENT;
    case core::Status::kTooLong:
      return -FI_EMSGSIZE;
    case core::Status::kNoMemory:
      return -FI_ENOMEM;
    case core::Status::kClosed:
      return -FI_EOPBADSTATE;
  }
  return -FI_EOTHER;
}

constexpr int to_errno(const util::Error& error) noexcept { return -error.code; }

// Runs a control call, which may allocate.
template <class F>
int control(F&& call) noexcept try {
  return call();
} catch (const std::bad_alloc&) {
  return -FI_ENOMEM;
}

}  // namespace xs::abi
