// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of hv, for hv/xen over a fake of Xen: every party lives in a domain of its own, in
// one of two rounds the first of them in dom0.
#include "contract/hv_contract.hpp"
#include "hv/fake/xen.hpp"
#include "hv/local/local.hpp"
#include "hv/xen/xen.hpp"

namespace xs::test {

namespace {

util::SystemRandom random_numbers;
FakeXen machine;
std::uint32_t last_domain = 0;

std::unique_ptr<hv::Backend> make_in(std::uint32_t domain, const std::string& simulated_host,
                                     hv::XenBellUse bell) {
  auto local = hv::Local::open(simulated_host, random_numbers);
  if (!local) return nullptr;
  if (!simulated_host.empty()) return std::move(*local);
  hv::Card card = (*local)->card();
  card.host.low ^= domain;
  auto xen = hv::Xen::open(machine.connect(domain), card, random_numbers, bell);
  return xen ? std::move(*xen) : nullptr;
}

template <hv::XenBellUse kBell>
std::unique_ptr<hv::Backend> make_guest(const std::string& simulated_host) {
  return make_in(++last_domain, simulated_host, kBell);
}

template <hv::XenBellUse kBell>
std::unique_ptr<hv::Backend> make_dom0_or_guest(const std::string& simulated_host) {
  return machine.is_inhabited(0) ? make_guest<kBell>(simulated_host)
                                 : make_in(0, simulated_host, kBell);
}

HvSubject subject(const char* name, MakeBackend make, bool has_bell) {
  return {name, [make](const std::string& host) { return party_here(make, host); }, has_bell, true};
}

constexpr auto kMute = hv::XenBellUse::kFabric;
constexpr auto kBelled = hv::XenBellUse::kEvent;
INSTANTIATE_TEST_SUITE_P(
    XenFake, HvContract,
    testing::Values(subject("XenFake", make_guest<kMute>, false),
                    subject("XenFakeDom0", make_dom0_or_guest<kMute>, false),
                    subject("XenFakeBelled", make_guest<kBelled>, true),
                    subject("XenFakeDom0Belled", make_dom0_or_guest<kBelled>, true)),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
