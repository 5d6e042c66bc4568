// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "contract/hv_contract.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

namespace xs::test {

HvParty& HvContract::party(const std::string& simulated_host) {
  parties_.push_back(GetParam().make(simulated_host));
  living_.push_back(parties_.back().get());
  return *parties_.back();
}

void HvContract::end(HvParty& party) {
  std::erase(living_, &party);
  party.kill();
}

bool HvContract::until(const std::function<bool()>& condition) {
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > late) return false;
    bool moved = false;
    for (HvParty* each : living_) moved |= each->progress();
    if (!moved) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void HvContract::settle() {
  for (int quiet = 0; quiet < 5;) {
    bool moved = false;
    for (HvParty* each : living_) moved |= each->progress();
    quiet = moved ? 0 : quiet + 1;
    if (!moved) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

HvPair HvContract::introduce(HvParty& a, HvParty& b) {
  const auto from_a = a.meet(b.card());
  const auto from_b = b.meet(a.card());
  EXPECT_EQ(from_a.error, 0);
  EXPECT_EQ(from_b.error, 0);
  EXPECT_TRUE(until([&] { return a.news(from_a.number).opened && b.news(from_b.number).opened; }));
  return {from_a.number, from_b.number};
}

void HvContract::await_bell(HvParty& party, unsigned pair) {
  if (!GetParam().has_bell) return;
  EXPECT_TRUE(until([&] { return party.ring(pair) == hv::Rang::kRung; }));
  settle();
}

bool HvContract::rests(HvParty& party) {
  if (!party.readable(10)) return true;
  party.progress();
  return !party.readable(10);
}

HvContract::Seen HvContract::show(HvParty& from, unsigned from_pair, HvParty& to, unsigned to_pair,
                                  std::size_t pages) {
  const auto shared = from.share(from_pair, pages);
  EXPECT_EQ(shared.error, 0);
  HvParty::Numbered mapped{};
  EXPECT_TRUE(until([&] {
    mapped = to.map(to_pair, shared.offer);
    return mapped.error != EAGAIN;
  }));
  EXPECT_EQ(mapped.error, 0);
  return {shared.share, mapped.number};
}

}  // namespace xs::test
