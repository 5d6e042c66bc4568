// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/domain.hpp"

#include <utility>

#include "util/log.hpp"

namespace xs::core {

Domain::Domain(Config config, std::unique_ptr<stream::InnerProvider> inner) noexcept
    : config_(std::move(config)), inner_(std::move(inner)) {
  if (config_.ring_size == 0) return;
  rings_.limits = {.first = config_.ring_size,
                   .largest = config_.ring_largest,
                   .memory = config_.ring_memory,
                   .sleeps = false,
                   .reader = config_.direct_read != 0 ? &stream::kernel_reader() : nullptr};
  auto neighbours = locality::Neighbours::open(config_.locality, random_);
  if (neighbours) {
    neighbours_ = std::move(*neighbours);
  } else if (config_.locality.xen == locality::XenUse::kOn) {
    refusal_ = neighbours.error().code;
    util::log(util::Level::kWarn, "FI_XS_XEN=on, but there is no sharing with other domains: %s",
              neighbours.error().what);
  } else {
    util::log(util::Level::kWarn, "no rings: %s; everything goes over the fabric",
              neighbours.error().what);
  }
}

}  // namespace xs::core
