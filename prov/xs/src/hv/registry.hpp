// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>

#include "hv/hv.hpp"
#include "hv/options.hpp"
#include "util/random.hpp"

namespace xs::hv {

// The backend for this machine. An error means that this process shares memory with nobody: the
// caller logs it. `random` must outlive the backend.
util::Result<std::unique_ptr<Backend>> open(const Options& options, util::Random& random) noexcept;

}  // namespace xs::hv
