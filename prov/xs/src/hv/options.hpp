// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace xs::hv {

// Whether memory is shared with other domains of a Xen that this machine is a domain of.
enum class XenUse : std::uint8_t {
  kAuto,  // if it can be
  kOff,
  kOn,  // it is an error if it can't be
};

// What wakes a peer in another domain.
enum class XenBellUse : std::uint8_t {
  kFabric,
  kEvent,  // event channels, with peers that want them too: moves must be announced (docs/hv.md)
};

struct Options {
  std::string simulated_host;  // NAME or @FILE (docs/hv.md, Simulated hosts); empty: none
  XenUse xen = XenUse::kAuto;
  XenBellUse xen_bell = XenBellUse::kFabric;
  std::size_t xen_pages = 0;  // that this process may grant to other domains; 0: its fair part
};

}  // namespace xs::hv
