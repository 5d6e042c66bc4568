// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The inner provider for real: libfabric's tcp family, found at run time.
#pragma once
#include <rdma/fabric.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "carrier/inner.hpp"

namespace xs::carrier {

struct FreeInfo {
  void operator()(struct fi_info* info) const noexcept { fi_freeinfo(info); }
};
using InfoPtr = std::unique_ptr<struct fi_info, FreeInfo>;

struct FabricQuery {
  // Exact inner provider name; empty: the first usable of tcp, net, tcp;ofi_rxm, sockets.
  std::string provider;
  // Network interface, address or address/prefix that inner endpoints use; empty: whatever
  // libfabric puts first, except bridges that many hosts have with the same address, and loopback
  // only if nothing else is up.
  std::string interface;
  const char* node = nullptr;  // as in fi_getinfo
  const char* service = nullptr;
  std::uint64_t flags = 0;  // FI_SOURCE and FI_NUMERICHOST only
  std::uint32_t addr_format =
      0;  // FI_SOCKADDR_IN, FI_SOCKADDR_IN6; FI_FORMAT_UNSPEC, FI_SOCKADDR: any
  const void* src_addr = nullptr;  // from hints
  std::size_t src_addrlen = 0;
  const void* dest_addr = nullptr;
  std::size_t dest_addrlen = 0;
};

// All usable infos of the one provider chosen, best first: one per local address, IPv4 before IPv6.
// Each has a concrete src_addr (a wildcard is spelled out; port 0: any) and a dest_addr if one was
// asked for. Empty: ENODATA; the reason is logged here, at info level unless a setting of the user
// is to blame.
std::vector<InfoPtr> discover(const FabricQuery& query) noexcept;

// Takes a copy of info, which came from discover(); opens its fabric.
// waits: endpoints have a wait_descriptor(). Costs memory and, on some providers, time per
// completion. rule: which address takes the place of one that is lost, as in FI_XS_IFACE.
util::Result<std::unique_ptr<InnerProvider>> open_fabric_provider(
    const struct fi_info& info, bool waits, const std::string& rule = {}) noexcept;

}  // namespace xs::carrier
