// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// XenCalls by Xen's own libraries, which are looked for at run time alone.
#pragma once
#include <memory>

#include "hv/xen/calls.hpp"

namespace xs::hv {

// ENODEV: this is no domain of Xen's; ENOTSUP: built without Xen's headers. Else what is missing
// here, and how to cure it.
util::Result<std::shared_ptr<XenCalls>> open_xen_libraries() noexcept;

}  // namespace xs::hv
