// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes with both kinds of neighbours, over a fake of Xen.
#pragma once
#include "hv/both.hpp"
#include "hv/local/local.hpp"
#include "hv/xen_rig.hpp"

namespace xs::test {

// Both: the near peers and the far ones of one process.
class HvBoth : public HvXen {
 protected:
  struct Whole {
    std::shared_ptr<FakeXenCalls> calls;
    std::unique_ptr<hv::Backend> both;
    Told told;
  };
  Whole whole(std::uint32_t domain, const std::string& host) {
    Whole made;
    auto local = hv::Local::open(host, random_);
    made.calls = machine_.connect(domain);
    auto xen = hv::Xen::open(made.calls, (*local)->card(), random_);
    made.both = std::move(*hv::Both::make(std::move(*local), std::move(*xen)));
    return made;
  }
  struct Pair {
    std::unique_ptr<hv::Link> one, other;
  };
  Pair meet(Whole& a, Whole& b) {
    Pair pair{std::move(*a.both->meet(b.both->card())), std::move(*b.both->meet(a.both->card()))};
    EXPECT_TRUE(moved_until({&a, &b}, [&] {
      return pair.one->state() == hv::LinkState::kOpen &&
             pair.other->state() == hv::LinkState::kOpen;
    }));
    return pair;
  }
  static bool moved_until(std::initializer_list<Whole*> all,
                          const std::function<bool()>& condition) {
    const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > late) return false;
      for (Whole* each : all) each->both->progress(each->told);
    }
    return true;
  }
};

}  // namespace xs::test
