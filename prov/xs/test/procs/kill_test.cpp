// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process is killed (-9) in the middle of something. What it owed ends in error soon, the rest
// stays, and another process at its address is a new peer.
#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr std::size_t kLarge = 64 << 20;  // more than sockets buffer
constexpr std::uint64_t kPlain = 1, kOther = 2;

// Three refused probes, a quiet interval apart, after some unanswered PINGs.
constexpr auto kVerdict = kQuiet * 20 * kPatience;

class Killed : public Procs {
 protected:
  Killed() { expect_log("is dead: its port refuses connections", false); }

  Process& survivor(const std::function<void(Worker&, Node&, fi_addr_t)>& body) {
    return start("survivor", host(0), [this, body](Worker& me) {
      Node node(me, host(0).address());
      const fi_addr_t peer = node.insert(host(1).address());
      node.shake_hands(peer);
      body(me, node, peer);
      me.say("done");
      node.hear();
    });
  }

  // Shakes hands, does its part and then sits there without progress.
  Process& victim(const std::function<void(Worker&, Node&, fi_addr_t)>& body) {
    return start("victim", host(1), [this, body](Worker& me) {
      Node node(me, host(1).address());
      const fi_addr_t peer = node.insert(host(0).address());
      node.shake_hands(peer);
      body(me, node, peer);
      me.say("frozen");
      me.hear();
    });
  }

  // At the address of the victim: takes one message, sends one.
  Process& successor() {
    return start("successor", host(1), [this](Worker& me) {
      Node node(me, host(1).address());
      const fi_addr_t peer = node.insert(host(0).address());
      me.say("ready");
      talk_afresh(me, node, peer, true);
      node.hear();
    });
  }

  // What the survivor and the successor do: one message each way, and no other is there.
  static void talk_afresh(Worker& me, Node& node, fi_addr_t peer, bool send_at_once) {
    Transfer in{.bytes = Bytes(100'000)}, out{.bytes = pattern(100'000, 7)};
    node.receive(in, kOther);
    if (!send_at_once) node.finish(in, "the first message of the new peer");
    node.send(out, peer, kOther, FI_DELIVERY_COMPLETE);
    node.finish(out, "a message to the new peer");
    node.finish(in, "a message of the new peer");
    if (in.bytes != out.bytes) throw Failure("another content");
    node.pass(2 * kQuiet);
    if (node.peek(0, ~0ull)) throw Failure("a message of a dead peer");
    me.say("talked");
  }

  void end_well(Process& process) {
    process.tell("close");
    process.expect_end();
  }

  // The common course: the victim freezes, is killed, the survivor sees it, its successor comes.
  void kill_and_replace(Process& survives, Process& dies) {
    dies.expect("frozen");
    survives.expect("frozen");
    dies.kill();
    survives.tell("killed");
    survives.expect("failed", kVerdict + kSoon);
    Process& next = successor();
    next.expect("ready");
    survives.tell("replaced");
    survives.expect("talked");
    next.expect("talked");
    survives.expect("done");
    end_well(survives);
    end_well(next);
  }
};

// Waits until the transfer ends in error, as soon as that should be.
void expect_error(Node& node, const Transfer& transfer) {
  node.until([&] { return transfer.done; }, "the error of what the dead peer owed", kVerdict);
  if (transfer.error == 0) throw Failure("a success that can't be");
}

TEST_F(Killed, WithReceiveMatched) {
  Process& survives = survivor([](Worker& me, Node& node, fi_addr_t peer) {
    Transfer matched{.bytes = Bytes(kLarge)}, unmatched{.bytes = Bytes(8)};
    node.receive(matched, kPlain);
    node.receive(unmatched, kPlain + 100);
    me.say("frozen");
    node.hear();
    expect_error(node, matched);
    me.say("failed");
    node.hear();
    talk_afresh(me, node, peer, true);
    if (unmatched.done) throw Failure("an unmatched receive ended");
    node.cancel(unmatched);
    node.until([&] { return unmatched.done; }, "a cancelled receive");
  });
  Process& dies = victim([](Worker&, Node& node, fi_addr_t peer) {
    static Transfer out{.bytes = Bytes(kLarge)};
    node.send(out, peer, kPlain);
    node.poll();
  });
  kill_and_replace(survives, dies);
}

TEST_F(Killed, WithSendMatched) {
  Process& survives = survivor([](Worker& me, Node& node, fi_addr_t peer) {
    Transfer out{.bytes = Bytes(kLarge)};
    node.send(out, peer, kPlain);
    me.say("frozen");
    node.hear();
    expect_error(node, out);
    me.say("failed");
    node.hear();
    talk_afresh(me, node, peer, true);
  });
  Process& dies = victim([](Worker&, Node& node, fi_addr_t) {
    node.until([&] { return node.peek(kPlain); }, "the announcement of a large message");
    static Transfer in{.bytes = Bytes(kLarge)};
    node.receive(in, kPlain);
    node.poll();
    if (in.done) throw Failure("64 MiB came at once");
  });
  kill_and_replace(survives, dies);
}

TEST_F(Killed, WithSendsUnmatched) {
  Process& survives = survivor([](Worker& me, Node& node, fi_addr_t peer) {
    Transfer sends[8];
    for (Transfer& each : sends) {
      each.bytes = Bytes(1 << 20);
      node.send(each, peer, kPlain);
    }
    me.say("frozen");
    node.hear();
    for (const Transfer& each : sends) expect_error(node, each);
    me.say("failed");
    node.hear();
    talk_afresh(me, node, peer, true);
  });
  Process& dies = victim([](Worker&, Node& node, fi_addr_t) {
    node.until([&] { return node.peek(kPlain); }, "the announcement of a large message");
    node.pass(kQuiet);
  });
  kill_and_replace(survives, dies);
}

// What was announced can't come any more, what came whole is there.
TEST_F(Killed, AfterItsMessages) {
  Process& survives = survivor([](Worker& me, Node& node, fi_addr_t peer) {
    node.until([&] { return node.peek(kPlain + 20); }, "the last message of the victim");
    me.say("frozen");
    node.hear();
    for (std::uint64_t i = 0; i < 20; ++i) {
      Transfer whole{.bytes = Bytes(1000)};
      node.receive(whole, kPlain + i);
      node.finish(whole, "a message that came before the death");
      if (whole.bytes != pattern(1000, i)) throw Failure("another content");
    }
    Transfer announced{.bytes = Bytes(kLarge)};
    node.receive(announced, kPlain + 20);
    expect_error(node, announced);
    me.say("failed");
    node.hear();
    talk_afresh(me, node, peer, true);
  });
  Process& dies = victim([](Worker&, Node& node, fi_addr_t peer) {
    for (std::uint64_t i = 0; i < 20; ++i) node.inject(pattern(1000, i), peer, kPlain + i);
    static Transfer out{.bytes = Bytes(kLarge)};
    node.send(out, peer, kPlain + 20);
    node.poll();
  });
  kill_and_replace(survives, dies);
}

// Nobody waits for the dead: nothing ends, and the receives serve the next one.
TEST_F(Killed, WhileIdle) {
  Process& survives = survivor([](Worker& me, Node& node, fi_addr_t peer) {
    Transfer any[4];
    for (Transfer& each : any) {
      each.bytes = Bytes(100'000);
      node.receive(each, kPlain, 0, peer);
    }
    me.say("frozen");
    node.hear();
    node.pass(10 * kQuiet);
    for (const Transfer& each : any)
      if (each.done) throw Failure("a receive ended that nobody owed");
    me.say("failed nothing");
    node.hear();
    // It doesn't know yet: what it sent first would be for the dead.
    talk_afresh(me, node, peer, false);
    for (Transfer& each : any) node.cancel(each);
    node.pass(kQuiet);
  });
  Process& dies = victim([](Worker&, Node&, fi_addr_t) {});
  kill_and_replace(survives, dies);
}

}  // namespace

}  // namespace xs::test
