// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes that sleep until something completes: nothing that is owed is forgotten meanwhile, no
// wake-up gets lost, and sleep costs nothing.
#include <sys/resource.h>

#include <thread>

#include "procs/failure.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

constexpr std::size_t kLarge = 3 << 20;

milliseconds processor_time() {
  struct rusage used {};
  getrusage(RUSAGE_SELF, &used);
  const auto in = [](const struct timeval& t) {
    return seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return std::chrono::duration_cast<milliseconds>(in(used.ru_utime) + in(used.ru_stime));
}

struct WaitCase {
  const char* name;
  const char* inner;
  const char* waiting;
  bool has_descriptor = true;
};

Environment sleeping(const WaitCase& how) {
  // ofi_rxm finds tcp only if it isn't hidden.
  return {{kWaiting, how.waiting}, {"FI_XS_FALLBACK", how.inner}, {"FI_PROVIDER", "xs,tcp"}};
}

class Asleep : public Procs, public testing::WithParamInterface<WaitCase> {
 protected:
  using Part = std::function<void(Worker&, Node&, fi_addr_t)>;

  Process& side(int own, const Part& part) {
    const auto body = [this, own, part](Worker& me) {
      Node node(me, host(own).address());
      const fi_addr_t peer = node.insert(host(1 - own).address());
      node.shake_hands(peer);
      me.say("ready");
      part(me, node, peer);
      me.say("done");
      node.hear();
    };
    return start(own == 0 ? "left" : "right", host(own), body, sleeping(GetParam()));
  }

  // It sleeps until both messages have come: all that a second of sleep may cost is little.
  Process& receiver() {
    const bool cheap = GetParam().has_descriptor;
    return side(0, [cheap](Worker& me, Node& node, fi_addr_t) {
      Transfer small{.bytes = Bytes(8)}, large{.bytes = Bytes(kLarge)};
      node.receive(small, 1);
      node.receive(large, 2);
      const milliseconds before = processor_time();
      node.finish(small, "a small message");
      const milliseconds used = processor_time() - before;
      me.at("the second message");
      node.finish(large, "a large message");
      if (small.bytes != pattern(8, 1) || large.bytes != pattern(kLarge, 2))
        throw Failure("another content");
      if (cheap && used > milliseconds(200) * kPatience)
        throw Failure("a sleeper used " + std::to_string(used.count()) + " ms");
    });
  }

  // Sends one message at each word of the driver.
  Process& sender() {
    return side(1, [](Worker& me, Node& node, fi_addr_t peer) {
      Transfer small{.bytes = pattern(8, 1)}, large{.bytes = pattern(kLarge, 2)};
      me.hear();
      node.send(small, peer, 1, FI_DELIVERY_COMPLETE);
      node.finish(small, "the end of a small send");
      me.say("sent");
      me.hear();
      node.send(large, peer, 2);
      node.finish(large, "the end of a large send");
    });
  }

  static void end(Process& a, Process& b) {
    for (Process* each : {&a, &b}) each->expect("done");
    for (Process* each : {&a, &b}) each->tell("close");
    for (Process* each : {&a, &b}) each->expect_end();
  }
};

TEST_P(Asleep, IsWokenByMessages) {
  Process& left = receiver();
  Process& right = sender();
  for (Process* each : {&left, &right}) each->expect("ready");
  std::this_thread::sleep_for(seconds(2));
  right.tell("small");
  right.expect("sent");
  std::this_thread::sleep_for(milliseconds(500));
  right.tell("large");
  end(left, right);
}

TEST_P(Asleep, IsReachedAfterItsConnectionsBroke) {
  Process& left = receiver();
  Process& right = sender();
  for (Process* each : {&left, &right}) each->expect("ready");
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_GT(host(0).reset_connections(), 0);
  right.tell("small");
  right.expect("sent");
  std::this_thread::sleep_for(milliseconds(100));
  host(0).halve_connections();
  right.tell("large");
  end(left, right);
}

// Its PINGs go unanswered, its probes are refused: all that happens while it sleeps.
TEST_P(Asleep, HearsOfAPeersDeath) {
  expect_log("is dead: its port refuses connections");
  Process& left = side(0, [](Worker& me, Node& node, fi_addr_t peer) {
    Transfer large{.bytes = Bytes(kLarge)};
    node.send(large, peer, 2);
    me.say("posted");
    node.until([&] { return large.done; }, "the failure of a send", kQuiet * 100 * kPatience);
    if (large.error == 0) throw Failure("a send to a dead peer ended well");
  });
  Process& right = side(1, [](Worker& me, Node&, fi_addr_t) { me.hear(); });
  for (Process* each : {&left, &right}) each->expect("ready");
  left.expect("posted");
  right.kill();
  left.expect("done", kQuiet * 100 * kPatience + kSoon);
  left.tell("close");
  left.expect_end();
}

INSTANTIATE_TEST_SUITE_P(Ways, Asleep,
                         testing::Values(WaitCase{"NetRead", "net", "sread"},
                                         WaitCase{"NetEpoll", "net", "epoll"},
                                         WaitCase{"RxmRead", "tcp;ofi_rxm", "sread"},
                                         WaitCase{"RxmEpoll", "tcp;ofi_rxm", "epoll"},
                                         WaitCase{"SocketsRead", "sockets", "sread", false}),
                         [](const auto& info) { return info.param.name; });

class AsleepUnderCuts : public Conversation, public testing::WithParamInterface<WaitCase> {};

TEST_P(AsleepUnderCuts, LosesNothing) {
  expect_log("accepts connections but answers no greeting", false);
  begin(Mix::kMixed, sleeping(GetParam()));
  for (int i = 0; i < 5; ++i) {
    expect_flow();
    host(i % 2).reset_connections();
  }
  expect_flow();
  finish();
}

INSTANTIATE_TEST_SUITE_P(Ways, AsleepUnderCuts,
                         testing::Values(WaitCase{"NetRead", "net", "sread"},
                                         WaitCase{"NetEpoll", "net", "epoll"}),
                         [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
