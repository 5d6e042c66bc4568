// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/path.hpp"

namespace xs::stream {

bool is_fault(LeaveReason reason) noexcept {
  return reason == LeaveReason::kLost || reason == LeaveReason::kBroken ||
         reason == LeaveReason::kSilent || reason == LeaveReason::kRefused;
}

const char* text_of(LeaveReason reason) noexcept {
  switch (reason) {
    case LeaveReason::kAsked:
      return "the peer left";
    case LeaveReason::kLost:
      return "its memory is gone";
    case LeaveReason::kBroken:
      return "it shows what no honest peer writes";
    case LeaveReason::kSilent:
      return "nothing in it is taken though the peer answers";
    case LeaveReason::kLink:
      return "the peer is no neighbour any more";
    case LeaveReason::kGrow:
      return "a larger one follows";
    case LeaveReason::kBudget:
      return "its memory is needed for others (FI_XS_RING_MEMORY, FI_XS_XEN_PAGES)";
    case LeaveReason::kTerms:
      return "from now on readers may sleep";
    case LeaveReason::kRefused:
      return "it can't be made";
    case LeaveReason::kMoved:
      return "this process has moved";
    case LeaveReason::kStale:
      return "it is not the one in hand";
    case LeaveReason::kPaused:
      return "this VM is about to be moved";
  }
  return "unknown";
}

}  // namespace xs::stream
