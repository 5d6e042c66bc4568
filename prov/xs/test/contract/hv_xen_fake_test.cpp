// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of hv, for hv/xen over a fake of Xen: every party lives in a domain of its own.
#include "contract/hv_contract.hpp"
#include "hv/fake/xen.hpp"
#include "hv/local/local.hpp"
#include "hv/xen/xen.hpp"

namespace xs::test {

namespace {

util::SystemRandom random_numbers;
FakeXen machine;
std::uint32_t last_domain = 0;

std::unique_ptr<hv::Backend> make_xen(const std::string& simulated_host) {
  auto local = hv::Local::open(simulated_host, random_numbers);
  if (!local) return nullptr;
  if (!simulated_host.empty()) return std::move(*local);
  hv::Card card = (*local)->card();
  card.host.low ^= ++last_domain;
  auto xen = hv::Xen::open(machine.connect(last_domain), card, random_numbers);
  return xen ? std::move(*xen) : nullptr;
}

HvSubject fake() {
  return {"XenFake", [](const std::string& host) { return party_here(make_xen, host); }, false,
          true};
}

INSTANTIATE_TEST_SUITE_P(XenFake, HvContract, testing::Values(fake()),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
