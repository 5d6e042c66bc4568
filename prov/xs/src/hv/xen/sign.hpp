// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// By which the processes of one VM see which of them live: the kernel takes it down.
#pragma once
#include <cstdint>

#include "hv/unique_fd.hpp"
#include "util/result.hpp"

namespace xs::hv {

// A socket that nobody speaks to, in the abstract namespace of one network namespace.
class Sign {
 public:
  util::Result<bool> begin(std::uint64_t process) noexcept;
  // Of a process in the same network namespace; those of others can't be seen.
  static bool is_up(std::uint64_t process) noexcept;
  // Which one that is.
  std::uint64_t network() const noexcept { return network_; }

 private:
  std::uint64_t network_ = 0;
  UniqueFd socket_;
};

}  // namespace xs::hv
