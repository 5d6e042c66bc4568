// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process' alarms: pages of peers whose unmapping, be it by the end of the process, rings a port
// of ours.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#include "hv/unique_fd.hpp"
#include "util/result.hpp"

namespace xs::hv {

// By the device itself, since its descriptor must be known: as long as anybody holds that, the
// kernel keeps the pages, and rings nothing. libxengnttab tells nobody its own.
class Alarms {
 public:
  // errno if there is no device.
  static util::Result<Alarms> open() noexcept;
  // One page of another domain, for reading, and the port.
  util::Result<const std::byte*> set(std::uint32_t domain, std::uint32_t reference,
                                     std::uint32_t port) noexcept;
  // Rings.
  void clear(const std::byte* page) noexcept;
  int descriptor() const noexcept { return device_.get(); }

 private:
  explicit Alarms(UniqueFd device) noexcept : device_(std::move(device)) {}
  UniqueFd device_;
};

}  // namespace xs::hv
