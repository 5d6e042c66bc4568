// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of hv, for the fake one under the simulation: what goes wrong there must be what may
// go wrong with real ones.
#include "contract/hv_contract.hpp"
#include "sim/fake/hv.hpp"
#include "sim/fake/network.hpp"

namespace xs::test {

namespace {

class StandingClock final : public util::Clock {
 public:
  util::Nanoseconds now() noexcept override { return now_; }
  void pass(util::Nanoseconds time) noexcept { now_ += time; }

 private:
  util::Nanoseconds now_ = util::kSecond;
};

StandingClock simulated_time;
sim::FakeHypervisor with_bells(simulated_time, {}, 1, nullptr);
sim::FakeHypervisor without_bells(simulated_time, {.bells = false}, 1, nullptr);

// Time passes whenever somebody looks.
class PassingTime final : public hv::Backend {
 public:
  PassingTime(sim::FakeHypervisor& machine, const std::string& host)
      : backend_(machine, 0, host.empty() ? 0 : 1 + static_cast<unsigned char>(host[0])) {}
  const hv::Card& card() const noexcept override { return backend_.card(); }
  util::Result<std::unique_ptr<hv::Link>> meet(const hv::Card& peer) noexcept override {
    return backend_.meet(peer);
  }
  bool progress(hv::Events& events) noexcept override {
    simulated_time.pass(100'000);
    return backend_.progress(events);
  }
  int descriptor() const noexcept override {
    simulated_time.pass(100'000);
    return backend_.descriptor();
  }
  const hv::Counters& counters() const noexcept override { return backend_.counters(); }

 private:
  sim::FakeHv backend_;
};

std::unique_ptr<hv::Backend> make_ringing(const std::string& host) {
  return std::make_unique<PassingTime>(with_bells, host);
}

std::unique_ptr<hv::Backend> make_mute(const std::string& host) {
  return std::make_unique<PassingTime>(without_bells, host);
}

HvSubject ringing() {
  return {"Fake", [](const std::string& host) { return party_here(make_ringing, host); }, true,
          true};
}

HvSubject mute() {
  return {"FakeWithoutBells", [](const std::string& host) { return party_here(make_mute, host); },
          false, true};
}

INSTANTIATE_TEST_SUITE_P(Fake, HvContract, testing::Values(ringing(), mute()),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
