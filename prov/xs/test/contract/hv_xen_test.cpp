// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of hv, for hv/xen between two real guests: parties are processes here and there by
// turns, so that those of one guest use hv/local. tools/check-xen runs it; elsewhere there is
// nothing to be run. XS_XEN_PARTIES: ADDRESS:PORT of xs-xen-parties in the other guest.
#include <cstdlib>

#include "contract/hv_contract.hpp"
#include "contract/hv_remote.hpp"
#include "hv/registry.hpp"

namespace xs::test {

namespace {

std::unique_ptr<hv::Backend> make_here(const std::string& simulated_host) {
  static util::SystemRandom random;
  const auto use = simulated_host.empty() ? hv::XenUse::kOn : hv::XenUse::kAuto;
  auto opened = hv::open({.simulated_host = simulated_host, .xen = use}, random);
  if (!opened) std::abort();
  return std::move(*opened);
}

std::vector<HvSubject> guests() {
  const char* const server = std::getenv("XS_XEN_PARTIES");
  if (!server) return {};
  const auto make = [server](const std::string& host) {
    static bool there = false;
    if (!host.empty()) return party_forked(make_here, host);
    there = !there;
    return there ? party_remote(server) : party_forked(make_here, host);
  };
  return {{"XenGuests", make, false}};
}

INSTANTIATE_TEST_SUITE_P(Xen, HvContract, testing::ValuesIn(guests()),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
