// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include "core/config.hpp"
#include "util/result.hpp"

namespace xs::abi {

// Tells libfabric of every FI_XS_... variable, for fi_info -e.
void define_variables() noexcept;

// What the user has set. A value that can't be used: EINVAL, and one warning says which and why
// (fi_getinfo and fi_domain then fail with -FI_EINVAL). Variables that begin with FI_XS_ and don't
// exist are warned about once. May throw bad_alloc.
util::Result<core::Config> read_variables();

}  // namespace xs::abi
