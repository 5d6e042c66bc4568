// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A silent peer is not a dead peer, as long as its kernel answers.
#include <thread>

#include "procs/failure.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

// Shorter than any silence here.
const Environment kImpatient{{"FI_XS_PEER_TIMEOUT", "1"}};

class Stopped : public Conversation {};

TEST_F(Stopped, PeerUnderLoadGoesOn) {
  begin(Mix::kMixed, kImpatient);
  expect_flow();
  side(1).stop();
  std::this_thread::sleep_for(by_length(seconds(4), seconds(60)));
  side(1).resume();
  expect_flow();
  finish();
}

TEST_F(Stopped, BothInTurn) {
  // The first stop may come before the greeting is through: to xs that is a busy process.
  expect_log("accepts connections but answers no greeting", false);
  begin(Mix::kRendezvous, kImpatient);
  for (int i : {0, 1, 0, 1}) {
    side(i).stop();
    std::this_thread::sleep_for(seconds(1));
    side(1 - i).stop();
    side(i).resume();
    std::this_thread::sleep_for(milliseconds(500));
    side(1 - i).resume();
  }
  expect_flow();
  finish();
}

TEST_F(Stopped, PeerIsGreetedAllTheSame) {
  // Patience has an end: after some greetings xs tells its user.
  expect_log("accepts connections but answers no greeting", false);
  const auto listen = [this](Worker& me) {
    Node node(me, host(1).address());
    Transfer small{.bytes = Bytes(8)}, large{.bytes = Bytes(1 << 20)};
    node.receive(small, 1);
    node.receive(large, 2);
    me.say("ready");
    node.finish(small, "a small message");
    node.finish(large, "a large message");
    if (small.bytes != pattern(8, 1) || large.bytes != pattern(1 << 20, 2))
      throw Failure("another content");
    me.say("received");
    node.hear();
  };
  const auto greet = [this](Worker& me) {
    Node node(me, host(0).address());
    const fi_addr_t peer = node.insert(host(1).address());
    Transfer small{.bytes = pattern(8, 1)}, large{.bytes = pattern(1 << 20, 2)};
    node.send(small, peer, 1, FI_DELIVERY_COMPLETE);
    node.send(large, peer, 2);
    me.say("posted");
    node.finish(small, "the end of a small send");
    node.finish(large, "the end of a large send");
    me.say("sent");
    node.hear();
  };
  Process& listener = start("listener", host(1), listen, kImpatient);
  listener.expect("ready");
  listener.stop();
  Process& greeter = start("greeter", host(0), greet, kImpatient);
  greeter.expect("posted");
  std::this_thread::sleep_for(by_length(seconds(3), seconds(60)));
  listener.resume();
  greeter.expect("sent");
  listener.expect("received");
  for (Process* each : {&greeter, &listener}) each->tell("close");
  for (Process* each : {&greeter, &listener}) each->expect_end();
}

}  // namespace

}  // namespace xs::test
