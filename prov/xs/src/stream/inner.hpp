// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The inner provider as the rooms above may know it: found, opened, handed down.
#pragma once
#include "carrier/fabric_inner.hpp"
#include "carrier/inner.hpp"

namespace xs::stream {

using carrier::discover;
using carrier::FabricQuery;
using carrier::InnerProvider;
using carrier::open_fabric_provider;
using carrier::WaitSet;

}  // namespace xs::stream
