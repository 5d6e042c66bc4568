// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An eventfd that its hearer watches edge-triggered and never reads.
#pragma once
#include "hv/unique_fd.hpp"
#include "util/result.hpp"

namespace xs::hv {

util::Result<UniqueFd> make_bell() noexcept;
// Whether a received descriptor is one that can be rung without blocking.
bool is_bell(const UniqueFd& fd) noexcept;
void ring_bell(const UniqueFd& bell) noexcept;

}  // namespace xs::hv
