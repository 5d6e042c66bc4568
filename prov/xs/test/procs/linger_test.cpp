// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What was completed before an endpoint closes arrives, and closing takes a bounded time.
#include <algorithm>
#include <thread>

#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr std::uint64_t kTag = 3;
constexpr int kMessages = 200;
constexpr milliseconds kLinger(1000);
const Environment kShortLinger{{"FI_XS_LINGER", std::to_string(kLinger.count())}};

class Linger : public Procs {
 protected:
  using Part = std::function<void(Worker&, Node&, fi_addr_t)>;

  // A process on one host that knows an endpoint on the other.
  Process& side(int own, const Part& part, const Environment& environment = {}) {
    const auto body = [this, own, part](Worker& me) {
      Node node(me, host(own).address());
      part(me, node, node.insert(host(1 - own).address()));
    };
    return start(own == 0 ? "left" : "right", host(own), body, environment);
  }
};

milliseconds time_to_close(Node& node) {
  const auto begin = Clock::now();
  node.close();
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
}

// Every other one injected, every fourth one large enough to wait for its turn.
Bytes content(int message) {
  return pattern(message % 4 == 1 ? 40'000 : 200, static_cast<std::uint64_t>(message));
}

void send_all(Node& node, fi_addr_t peer) {
  std::vector<Transfer> sends(kMessages);
  for (int i = 0; i < kMessages; ++i) {
    Transfer& each = sends[static_cast<std::size_t>(i)];
    each.bytes = content(i);
    if (i % 2 == 0)
      node.inject(each.bytes, peer, kTag);
    else
      node.send(each, peer, kTag);
  }
  for (const Transfer& each : sends) node.finish(each, "the end of a send");
}

void receive_all(Node& node) {
  for (int i = 0; i < kMessages; ++i) {
    Transfer in{.bytes = Bytes(40'000)};
    node.receive(in, kTag);
    node.finish(in, "a message");
    in.bytes.resize(in.length);
    if (in.bytes != content(i)) throw Failure("message " + std::to_string(i) + " is another one");
  }
  if (node.peek(kTag)) throw Failure("a message too many");
}

TEST_F(Linger, SenderClosesAtOnce) {
  Process& receiver = side(1, [](Worker& me, Node& node, fi_addr_t) {
    me.say("ready");
    std::this_thread::sleep_for(seconds(1));
    receive_all(node);
  });
  receiver.expect("ready");
  Process& sender =
      side(0, [](Worker&, Node& node, fi_addr_t peer) { send_all(node, peer); });
  sender.expect_end();
  receiver.expect_end();
}

TEST_F(Linger, ReceiverLooksAfterTheSenderHasGone) {
  Process& receiver = side(1, [](Worker& me, Node& node, fi_addr_t) {
    me.say("ready");
    node.hear();
    receive_all(node);
  });
  receiver.expect("ready");
  Process& sender =
      side(0, [](Worker&, Node& node, fi_addr_t peer) { send_all(node, peer); });
  sender.expect_end();
  receiver.tell("it has gone");
  receiver.expect_end();
}

TEST_F(Linger, BothCloseAtOnce) {
  for (int round = 0; round < (g_full ? 100 : 10); ++round) {
    const Part part = [](Worker& me, Node& node, fi_addr_t peer) {
      me.say("ready");
      node.hear();
      send_all(node, peer);
      receive_all(node);
      if (time_to_close(node) >= seconds(2) * kPatience) throw Failure("closing took too long");
    };
    Process* sides[2] = {&side(0, part), &side(1, part)};
    for (Process* each : sides) each->expect("ready");
    for (Process* each : sides) each->tell("go");
    for (Process* each : sides) each->expect_end();
  }
}

// The sender asks for delivery, and hears of it though its peer is gone as soon as it has it.
TEST_F(Linger, ReceiverClosesAtOnce) {
  for (int round = 0; round < (g_full ? 200 : 20); ++round) {
    Process& receiver = side(1, [](Worker& me, Node& node, fi_addr_t) {
      me.say("ready");
      for (int i = 0; i < 2; ++i) {
        Transfer in{.bytes = Bytes(100)};
        node.receive(in, kTag);
        node.finish(in, "a message");
      }
      if (time_to_close(node) >= seconds(2) * kPatience) throw Failure("closing took too long");
    });
    receiver.expect("ready");
    Process& sender = side(0, [round](Worker&, Node& node, fi_addr_t peer) {
      for (int i = 0; i < 2; ++i) {
        Transfer out{.bytes = Bytes(100)};
        node.send(out, peer, kTag, FI_DELIVERY_COMPLETE);
        node.finish(out, "the delivery");
        // The ring is joined meanwhile, or was.
        if (i == 0) std::this_thread::sleep_for(std::chrono::microseconds(50 * round));
      }
    });
    sender.expect_end();
    receiver.expect_end();
  }
}

// Its unmatched announcements die with the one who closes: the sender is told.
TEST_F(Linger, PeerClosesWithoutReceiving) {
  Process& sender = side(0, [](Worker& me, Node& node, fi_addr_t peer) {
    Transfer out{.bytes = Bytes(1 << 20)};
    node.send(out, peer, kTag);
    node.until([&] { return out.done; }, "the error of a send that nobody took");
    if (out.error == 0) throw Failure("a success that can't be");
    me.say("told");
  });
  Process& leaver = side(1, [](Worker&, Node& node, fi_addr_t) {
    node.until([&] { return node.peek(kTag); }, "the announcement");
  });
  leaver.expect_end();
  sender.expect("told");
  sender.expect_end();
}

TEST_F(Linger, StoppedPeerIsNotWaitedForLonger) {
  expect_log("closes although .* has not acknowledged everything");
  Process& stopped = side(1, [](Worker& me, Node& node, fi_addr_t peer) {
    node.shake_hands(peer);
    me.say("ready");
    node.hear();
  });
  const Part close_in_time = [](Worker& me, Node& node, fi_addr_t peer) {
    node.shake_hands(peer);
    me.say("ready");
    node.hear();
    node.inject(Bytes(100), peer, kTag);
    const auto time = time_to_close(node);
    if (time < kLinger * 9 / 10) throw Failure("closing didn't wait for the peer");
    if (time > kLinger + seconds(1) * kPatience) throw Failure("closing took too long");
  };
  Process& closer = side(0, close_in_time, kShortLinger);
  stopped.expect("ready");
  closer.expect("ready");
  stopped.stop();
  closer.tell("close");
  closer.expect_end();
}

TEST_F(Linger, DeadPeerIsNotWaitedFor) {
  expect_log("is dead: its port refuses connections");
  Process& victim = side(1, [](Worker& me, Node& node, fi_addr_t peer) {
    node.shake_hands(peer);
    me.say("ready");
    node.hear();
  });
  const Part close_in_time = [](Worker& me, Node& node, fi_addr_t peer) {
    node.shake_hands(peer);
    me.say("ready");
    node.hear();
    node.inject(Bytes(100), peer, kTag);
    if (time_to_close(node) > kQuiet * 20 * kPatience) throw Failure("closing took too long");
  };
  Process& closer = side(0, close_in_time, {{"FI_XS_LINGER", "30000"}});
  victim.expect("ready");
  closer.expect("ready");
  victim.kill();
  closer.tell("close");
  closer.expect_end();
}

}  // namespace

}  // namespace xs::test
