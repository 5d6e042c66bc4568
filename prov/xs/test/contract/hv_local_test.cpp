// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of hv, for hv/local: two backends in one process, and processes of their own.
#include "contract/hv_contract.hpp"
#include "hv/registry.hpp"

namespace xs::test {

namespace {

util::SystemRandom random_numbers;

std::unique_ptr<hv::Backend> make_local(const std::string& simulated_host) {
  auto opened = hv::open({.simulated_host = simulated_host}, random_numbers);
  EXPECT_TRUE(opened);
  return opened ? std::move(*opened) : nullptr;
}

HvSubject here() {
  return {"LocalHere", [](const std::string& host) { return party_here(make_local, host); }, true,
          true};
}

HvSubject forked() {
  return {"LocalForked", [](const std::string& host) { return party_forked(make_local, host); },
          true};
}

INSTANTIATE_TEST_SUITE_P(Hv, HvContract, testing::Values(here(), forked()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Hv, HvMoves, testing::Values(here(), forked()),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
