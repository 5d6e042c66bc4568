// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of hv, for hv/xen between two real guests: parties are processes here and there by
// turns, so that those of one guest use hv/local. tools/check-xen runs it; elsewhere there is
// nothing to be run. XS_XEN_PARTIES: ADDRESS:PORT of xs-xen-parties in the other guest;
// XS_XEN_BELLED_PARTIES: the same, with event channels.
#include <cstdlib>

#include "contract/hv_contract.hpp"
#include "contract/hv_remote.hpp"
#include "hv/registry.hpp"

namespace xs::test {

namespace {

std::unique_ptr<hv::Backend> make_here(const std::string& simulated_host, hv::XenBellUse bell) {
  static util::SystemRandom random;
  const auto use = simulated_host.empty() ? hv::XenUse::kOn : hv::XenUse::kAuto;
  auto opened = hv::open({.simulated_host = simulated_host, .xen = use, .xen_bell = bell}, random);
  if (!opened) std::abort();
  return std::move(*opened);
}
std::unique_ptr<hv::Backend> make_mute(const std::string& simulated_host) {
  return make_here(simulated_host, hv::XenBellUse::kFabric);
}
std::unique_ptr<hv::Backend> make_belled(const std::string& simulated_host) {
  return make_here(simulated_host, hv::XenBellUse::kEvent);
}

HvSubject guests(const char* name, const char* server, MakeBackend here, bool has_bell) {
  const auto make = [server, here](const std::string& host) {
    static bool there = false;
    if (!host.empty()) return party_forked(here, host);
    there = !there;
    return there ? party_remote(server) : party_forked(here, host);
  };
  return {name, make, has_bell};
}

std::vector<HvSubject> all_guests() {
  std::vector<HvSubject> all;
  if (const char* const server = std::getenv("XS_XEN_PARTIES"))
    all.push_back(guests("XenGuests", server, make_mute, false));
  if (const char* const server = std::getenv("XS_XEN_BELLED_PARTIES"))
    all.push_back(guests("XenGuestsBelled", server, make_belled, true));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Xen, HvContract, testing::ValuesIn(all_guests()),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
