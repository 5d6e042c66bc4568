// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Xen's libraries: their headers don't know C++.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {
#include <xen/io/xs_wire.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
}
