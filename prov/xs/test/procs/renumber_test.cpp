// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A host loses the address by which its endpoints are known, and gets another one, under traffic.
#include <rdma/fi_errno.h>

#include "hv/simulated_vm.hpp"
#include "procs/failure.hpp"
#include "procs/procs.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

constexpr const char* kOther = "10.83.0.101";
constexpr const char* kNowhere = "10.83.0.102";
// Home is given up only if nothing else is left to try.
constexpr const char* kMayBeLogged =
    "no further lane|accepts connections but answers no greeting|can't be reopened yet";

class Renumbered : public Conversation, public testing::WithParamInterface<Mix> {
 protected:
  void expect_more() {
    for (int i = 0; i < 3; ++i) expect_flow();
  }
};

// As after a migration: the VM learns of it, and tells.
TEST_P(Renumbered, WithAMove) {
  SimulatedVm vm("A");
  expect_log(kMayBeLogged, false);
  begin(GetParam(), {{"FI_XS_SIM_HOST", vm.option()}});
  expect_more();
  host(0).renumber(kOther);
  vm.replace("B");
  expect_more();
  host(0).renumber(kNowhere);
  vm.replace("A");
  expect_more();
  finish();
}

// Nobody tells: who has something to say finds out that nothing is answered.
TEST_P(Renumbered, WithoutAWord) {
  expect_log(kMayBeLogged, false);
  begin(GetParam());
  expect_more();
  host(0).renumber(kOther);
  expect_more();
  finish();
}

INSTANTIATE_TEST_SUITE_P(Procs, Renumbered, testing::Values(Mix::kEager, Mix::kMixed),
                         [](const auto& info) {
                           return info.param == Mix::kEager ? "Eager" : "Mixed";
                         });

// Neither side can find the other: sends end in error, in as long as it takes to be sure.
class RenumberedBoth : public Procs {};

TEST_F(RenumberedBoth, EndsInError) {
  const Environment environment = {{"FI_XS_PEER_TIMEOUT", "2"}};
  expect_log("no further lane|is dead: not even its host answers|can't be reopened yet", false);
  const auto part = [this](int self) {
    return [this, self](Worker& me) {
      Node node(me, host(self).address());
      const fi_addr_t peer = node.insert(host(1 - self).address());
      node.shake_hands(peer);
      me.say("met");
      me.hear();
      Transfer out{.bytes = Bytes(100)};
      node.send(out, peer, 1, FI_DELIVERY_COMPLETE);
      node.until([&] { return out.done; }, "the error of a send", seconds(30) * kPatience);
      if (out.error != FI_EHOSTUNREACH)
        throw Failure(std::string("a send ended with ") + fi_strerror(out.error));
    };
  };
  Process& left = start("left", host(0), part(0), environment);
  Process& right = start("right", host(1), part(1), environment);
  left.expect("met");
  right.expect("met");
  host(0).renumber(kOther);
  host(1).renumber(kNowhere);
  left.tell("go on");
  right.tell("go on");
  left.expect_end(seconds(40) * kPatience);
  right.expect_end(seconds(40) * kPatience);
}

}  // namespace
}  // namespace xs::test
