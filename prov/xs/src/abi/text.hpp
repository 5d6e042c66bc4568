// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <rdma/fi_errno.h>

#include <cstddef>
#include <cstdio>

namespace xs::abi {

// What fi_cq_strerror and fi_eq_strerror answer: our provider errors are errno values.
inline const char* error_text(int error, char* buffer, std::size_t size) noexcept {
  const char* text = fi_strerror(error);
  if (!buffer || size == 0) return text;
  std::snprintf(buffer, size, "%s", text);
  return buffer;
}

}  // namespace xs::abi
