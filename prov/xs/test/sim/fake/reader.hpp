// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Simulated processes that read each other's memory: docs/paths.md section 8. Really all of it is
// this process'.
#pragma once
#include "carrier/direct_read.hpp"
#include "sim/fake/hv.hpp"

namespace xs::sim {

// What the kernel of a host does: it lets those who live there, and are alive, read each other.
class FakeReader final : public carrier::MemoryReader {
 public:
  // The backend of who reads; it outlives this.
  explicit FakeReader(FakeHv& own) noexcept : own_(own) {}
  std::uint32_t process() const noexcept override { return own_.number(); }
  ssize_t read(std::uint32_t process, std::span<const struct iovec> to,
               std::span<const struct iovec> from) noexcept override;

 private:
  bool finds(std::uint32_t process) const noexcept;

  FakeHv& own_;
};

}  // namespace xs::sim
