// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Connections end under load in every way there is; each message arrives once, in order.
#include <iostream>
#include <random>
#include <thread>

#include "procs/procs.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

enum class Cut { kReset, kHalve, kUnplug };

struct CutCase {
  const char* name;
  const char* inner;  // FI_XS_FALLBACK
  Cut cut;
  Mix mix;
};

class Cuts : public Conversation, public testing::WithParamInterface<CutCase> {
 protected:
  // Gives how many connections it ended.
  int cut(const Host& victim) {
    switch (GetParam().cut) {
      case Cut::kReset:
        return victim.reset_connections();
      case Cut::kHalve:
        return victim.halve_connections();
      default:
        victim.unplug();
        std::this_thread::sleep_for(milliseconds(random_() % 700));
        victim.plug();
        return 1;
    }
  }
  // Between cuts, so that something moves: half a connection is found out by asking, which takes
  // some quiet intervals; TCP itself repeats lost packets after 200 ms and more.
  milliseconds calm() const {
    switch (GetParam().cut) {
      case Cut::kHalve:
        return milliseconds(800);
      case Cut::kUnplug:
        return milliseconds(300);
      default:
        return milliseconds(0);
    }
  }
  // Cuts for a while, now and then.
  int cut_on_and_off(milliseconds time) {
    int ended = 0;
    for (const auto end = Clock::now() + time; Clock::now() < end;) {
      ended += cut(host(static_cast<int>(random_() % 2)));
      std::this_thread::sleep_for(calm() + milliseconds(1 << random_() % 10));
    }
    return ended;
  }

 private:
  std::mt19937 random_{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed())};
};

TEST_P(Cuts, LoseNothing) {
  // ofi_rxm finds tcp only if it isn't hidden.
  begin(GetParam().mix, {{"FI_XS_FALLBACK", GetParam().inner}, {"FI_PROVIDER", "xs,tcp"}});
  // The greetings may be what is cut.
  expect_log("accepts connections but answers no greeting", false);
  const int ended = cut_on_and_off(by_length(milliseconds(4000), seconds(30)));
  EXPECT_GT(ended, 2);
  expect_flow();
  finish();
  std::cout << ended << " connections ended, " << side(0).sent() << " and " << side(1).sent()
            << " messages sent\n";
}

INSTANTIATE_TEST_SUITE_P(Traffic, Cuts,
                         testing::Values(CutCase{"NetResetMixed", "net", Cut::kReset, Mix::kMixed},
                                         CutCase{"NetResetEager", "net", Cut::kReset, Mix::kEager},
                                         CutCase{"NetResetRendezvous", "net", Cut::kReset,
                                                 Mix::kRendezvous},
                                         CutCase{"NetHalve", "net", Cut::kHalve, Mix::kMixed},
                                         CutCase{"NetUnplug", "net", Cut::kUnplug, Mix::kMixed},
                                         CutCase{"RxmReset", "tcp;ofi_rxm", Cut::kReset,
                                                 Mix::kMixed},
                                         CutCase{"RxmHalve", "tcp;ofi_rxm", Cut::kHalve,
                                                 Mix::kMixed},
                                         CutCase{"RxmUnplug", "tcp;ofi_rxm", Cut::kUnplug,
                                                 Mix::kMixed}),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
