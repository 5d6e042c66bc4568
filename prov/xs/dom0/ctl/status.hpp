// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

namespace xs::dom0 {

// Exit statuses. Who is asked to end by a signal ends with kSignal and its number.
inline constexpr int kDone = 0;
inline constexpr int kUsage = 2;
inline constexpr int kCannot = 3;     // no Xen, not dom0, no rights; no such domain; no xl
inline constexpr int kNoAnswer = 4;   // of the hypervisor or the store
inline constexpr int kNotPaused = 5;  // somebody has not paused in time, so nothing was moved
inline constexpr int kBusy = 6;       // another xsctl has asked the domain to pause
inline constexpr int kNotMoved = 7;   // xl has failed
inline constexpr int kSignal = 128;

}  // namespace xs::dom0
