// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Addresses as the C face may know them.
#pragma once
#include "proto/address.hpp"

namespace xs::core {

using proto::Address;

}  // namespace xs::core
