// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Descriptors of ours that must never be closed for the last time outlive us.
#pragma once
#include <array>

namespace xs::hv {

// Starts a process (`sleep`, of the shell, in a session of its own, with no other descriptor of
// ours) that holds both for as long as this machine runs, and nobody waits for: the caller may
// close its own then. False: there is none, and why is in errno. Takes some milliseconds.
bool keep_for_ever(const std::array<int, 2>& descriptors) noexcept;

}  // namespace xs::hv
