// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstdint>

namespace xs::util {

// Source of unguessable numbers (tokens, incarnations). Replaced by a seeded one in tests.
class Random {
 public:
  virtual ~Random() = default;
  // Never 0: 0 means "none" in every field that these numbers go to.
  virtual std::uint64_t next() noexcept = 0;
};

// The kernel's generator. Set-up paths only: each call is a system call.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() noexcept override;
};

}  // namespace xs::util
