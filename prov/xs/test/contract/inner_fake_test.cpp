// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of inner providers, for the fake one under the simulation: what it does wrong there
// must be what real ones do wrong.
#include "contract/inner_contract.hpp"
#include "sim/fake/inner.hpp"

namespace xs::test {

namespace {

class Bystander final : public sim::NetworkObserver {
 public:
  void arrives(sim::ProcessId, util::Nanoseconds) noexcept override {}
  void touches(const void*, std::size_t, bool) noexcept override {}
  void carried(const char*, const proto::Address&, const proto::Address&, bool,
               std::span<const std::byte>) noexcept override {}
  void stopped(const proto::Address&) noexcept override {}
  void misused(const char* what) noexcept override { ADD_FAILURE() << what; }
};

class FakeWorld final : public InnerWorld {
 public:
  explicit FakeWorld(const sim::Habits& habits) : network_(habits, 1, observer_) {
    network_.vanish(kSilentHost);
  }
  carrier::InnerProvider& provider() override { return provider_; }
  void pass() override { network_.set_time(network_.now() + 10'000); }
  proto::Address silent_address() override {
    return sim::FakeNetwork::address(kSilentHost, 4000);
  }

 private:
  static constexpr unsigned kSilentHost = 9;
  Bystander observer_;
  sim::FakeNetwork network_;
  sim::FakeProvider provider_{network_, 1, 1, 0};
};

std::unique_ptr<InnerWorld> stream_like(const InnerSubject&) {
  return std::make_unique<FakeWorld>(sim::Habits{});
}

std::unique_ptr<InnerWorld> rendezvous_like(const InnerSubject&) {
  sim::Habits habits;
  habits.rendezvous_over = 16384;
  habits.send_depth = 64;
  habits.tagged_depth = 64;
  habits.holds_on = false;
  return std::make_unique<FakeWorld>(habits);
}

INSTANTIATE_TEST_SUITE_P(Fake, InnerContract,
                         testing::Values(InnerSubject{"stream", stream_like, false},
                                         InnerSubject{"rendezvous", rendezvous_like, false}),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
