// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Receives in another order than sends, more messages than any window: no credit may run out for
// what has to come next.
#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr int kMessages = 400;

struct Shape {
  const char* name;
  std::size_t size;
  Environment environment;
};

class Deadlock : public Procs, public testing::WithParamInterface<Shape> {
 protected:
  static std::vector<Transfer> send_all(Node& node, fi_addr_t peer, unsigned side) {
    std::vector<Transfer> sends(kMessages);
    for (unsigned i = 0; i < kMessages; ++i) {
      sends[i].bytes = pattern(GetParam().size, 2 * i + side);
      node.send(sends[i], peer, i);
    }
    return sends;
  }
  // The last one sent first, one by one.
  static void receive_backwards(Node& node, unsigned side) {
    Transfer in;
    for (unsigned i = kMessages; i-- > 0;) {
      in.bytes.resize(GetParam().size);
      node.receive(in, i);
      node.finish(in, "a message in reverse order");
      if (in.bytes != pattern(GetParam().size, 2 * i + side)) throw Failure("another content");
    }
  }
  static void finish_all(Node& node, const std::vector<Transfer>& sends) {
    for (const Transfer& each : sends) node.finish(each, "the end of a send");
  }

  void run(const std::function<void(Node&, fi_addr_t, unsigned)>& part) {
    Process* sides[2];
    for (int i : {0, 1})
      sides[i] = &start(
          i == 0 ? "left" : "right", host(i),
          [this, part, i](Worker& me) {
            Node node(me, host(i).address());
            part(node, node.insert(host(1 - i).address()), static_cast<unsigned>(i));
            me.say("complete");
            node.hear();
          },
          GetParam().environment);
    for (Process* each : sides) each->expect("complete", kSoon * 2);
    for (Process* each : sides) each->tell("close");
    for (Process* each : sides) each->expect_end();
  }
};

TEST_P(Deadlock, ReversedOrder) {
  run([](Node& node, fi_addr_t peer, unsigned side) {
    if (side == 0)
      finish_all(node, send_all(node, peer, side));
    else
      receive_backwards(node, 0);
  });
}

TEST_P(Deadlock, BothFloodFirst) {
  run([](Node& node, fi_addr_t peer, unsigned side) {
    const std::vector<Transfer> sends = send_all(node, peer, side);
    receive_backwards(node, 1 - side);
    finish_all(node, sends);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, Deadlock,
    testing::Values(Shape{"Small", 100, {{"FI_XS_WINDOW", "8"}}},
                    Shape{"SmallAnnounced", 2000, {{"FI_XS_WINDOW", "8"}, {"FI_XS_UNEXPECTED", "0"}}},
                    Shape{"Eager", 30'000, {{"FI_XS_WINDOW", "8"}, {"FI_XS_RX_BUFFERS", "2"}}},
                    Shape{"EagerAnnounced", 30'000, {{"FI_XS_UNEXPECTED", "100000"}}},
                    Shape{"Large", 200'000, {{"FI_XS_WINDOW", "8"}}}),
    [](const auto& info) { return info.param.name; });

}  // namespace

}  // namespace xs::test
