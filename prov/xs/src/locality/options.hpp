// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// With whom memory may be shared.
#pragma once
#include "hv/options.hpp"

namespace xs::locality {

using Options = hv::Options;
using XenUse = hv::XenUse;
using XenBellUse = hv::XenBellUse;

}  // namespace xs::locality
