// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The inner provider as the C face may know it.
#pragma once
#include "stream/inner.hpp"

namespace xs::core {

using stream::discover;
using stream::FabricQuery;
using stream::InnerProvider;
using stream::open_fabric_provider;
using stream::WaitSet;

}  // namespace xs::core
