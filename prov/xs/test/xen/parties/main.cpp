// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-xen-parties PORT SECONDS [event]: processes of this guest for the contract suite of hv that
// runs in another one, until nobody has called for so long; with event channels if it says so.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "contract/hv_remote.hpp"
#include "hv/registry.hpp"

namespace {

template <xs::hv::XenBellUse kBell>
std::unique_ptr<xs::hv::Backend> make(const std::string&) {
  static xs::util::SystemRandom random;
  auto opened =
      xs::hv::open({.simulated_host = "", .xen = xs::hv::XenUse::kOn, .xen_bell = kBell}, random);
  if (opened) return std::move(*opened);
  std::fprintf(stderr, "xs-xen-parties: %s\n", opened.error().what);
  std::exit(1);
}

}  // namespace

int main(int count, char** words) {
  using Bell = xs::hv::XenBellUse;
  const bool belled = count == 4 && std::strcmp(words[3], "event") == 0;
  if (count != 3 && !belled) return 2;
  return xs::test::serve_parties(static_cast<std::uint16_t>(std::atoi(words[1])),
                                 belled ? make<Bell::kEvent> : make<Bell::kFabric>,
                                 std::atoi(words[2]));
}
