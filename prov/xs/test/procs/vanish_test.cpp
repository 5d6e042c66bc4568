// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A whole host is gone: not even its kernel answers.
#include <rdma/fi_errno.h>

#include <thread>

#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr seconds kTimeout(2);  // FI_XS_PEER_TIMEOUT
// Probes last up to two seconds each and are counted when they end.
constexpr auto kVerdict = 2 * kTimeout + seconds(4) * kPatience;

class Vanished : public Procs {
 protected:
  // Both hosts do the same: to each, the other one vanishes.
  void lose(Worker& me, int own) {
    Node node(me, host(own).address());
    const fi_addr_t peer = node.insert(host(1 - own).address());
    node.shake_hands(peer);
    Transfer unmatched{.bytes = Bytes(8)}, announced{.bytes = Bytes(1 << 20)};
    Transfer eager{.bytes = Bytes(1000)};
    node.receive(unmatched, 99);
    node.send(announced, peer, 1);
    me.say("ready");
    node.hear();
    node.send(eager, peer, 2, FI_DELIVERY_COMPLETE);
    for (const Transfer* each : {&announced, &eager})
      node.until([&] { return each->done; }, "the end of a send to nowhere", kVerdict);
    if (eager.error == 0) throw Failure("a success that can't be");
    if (announced.error != FI_EHOSTUNREACH)
      throw Failure(std::string("a send to nowhere ended with ") + fi_strerror(announced.error));
    if (unmatched.done) throw Failure("an unmatched receive ended");
    me.say("failed");
    node.hear();
    node.shake_hands(peer);
    Transfer last{.bytes = Bytes(8)};
    node.send(last, peer, 99);
    node.finish(last, "a message after the return");
    node.finish(unmatched, "the receive posted before");
    me.say("returned");
    node.hear();
  }
};

TEST_F(Vanished, SendsEndUntilItReturns) {
  expect_log("is dead: not even its host answers");
  Process* sides[2];
  for (int i : {0, 1})
    sides[i] = &start(
        i == 0 ? "left" : "right", host(i), [this, i](Worker& me) { lose(me, i); },
        {{"FI_XS_PEER_TIMEOUT", std::to_string(kTimeout.count())}});
  for (Process* each : sides) each->expect("ready");
  host(1).unplug();
  for (Process* each : sides) each->tell("unplugged");
  for (Process* each : sides) each->expect("failed", kVerdict * 2 + kSoon);
  host(1).plug();
  for (Process* each : sides) each->tell("plugged");
  for (Process* each : sides) each->expect("returned");
  for (Process* each : sides) each->tell("close");
  for (Process* each : sides) each->expect_end();
}

// Shorter than the patience: nobody notices but by the time it takes.
TEST_F(Vanished, ShortlyIsNoDeath) {
  Process& receiver = start("receiver", host(1), [this](Worker& me) {
    Node node(me, host(1).address());
    node.shake_hands(node.insert(host(0).address()));
    Transfer in{.bytes = Bytes(1 << 20)};
    node.receive(in, 1);
    node.finish(in, "the message");
    if (in.bytes != pattern(1 << 20, 1)) throw Failure("another content");
    me.say("received");
    node.hear();
  });
  Process& sender = start("sender", host(0), [this](Worker& me) {
    Node node(me, host(0).address());
    const fi_addr_t peer = node.insert(host(1).address());
    node.shake_hands(peer);
    me.say("ready");
    node.hear();
    Transfer out{.bytes = pattern(1 << 20, 1)};
    node.send(out, peer, 1);
    me.say("sent");
    node.finish(out, "the end of the send");
    node.hear();
  });
  sender.expect("ready");
  host(1).unplug();
  sender.tell("unplugged");
  sender.expect("sent");
  std::this_thread::sleep_for(seconds(2));
  host(1).plug();
  receiver.expect("received");
  for (Process* each : {&receiver, &sender}) each->tell("close");
  for (Process* each : {&receiver, &sender}) each->expect_end();
}

}  // namespace

}  // namespace xs::test
