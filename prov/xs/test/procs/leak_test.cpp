// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Endpoints that come and go leave nothing behind, neither at home nor at the peers they met.
#include <malloc.h>

#include <fstream>
#include <iostream>

#include "procs/failure.hpp"
#include "procs/held.hpp"
#include "procs/mover.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr int kWarm = 20;  // cycles until caches and pools are full

// Messages of a cycle, each way: the first ones for a ring to be joined meanwhile.
constexpr std::size_t kSizes[] = {10, 10, 10, 10, 10, 10, 20'000, 300'000};
constexpr int kExchanges = std::size(kSizes);

struct Held {
  long descriptors;
  long mappings;
  long kilobytes;
};

Held held_now() {
  malloc_trim(0);
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:"))
      return {descriptors_held(), mappings_held("memfd:"), std::stol(line.substr(8))};
  throw Failure("no RssAnon");
}

// On two hosts; on one if it is true.
class Leak : public Procs, public testing::WithParamInterface<bool> {
 protected:
  static bool neighbours() { return GetParam(); }
  static int cycles() { return g_full ? 1000 : 100; }
  const Host& place(int side) const { return host(neighbours() ? 0 : side); }
  static std::uint16_t port(int side) { return static_cast<std::uint16_t>(Node::kPort + side); }

  // Sends, receives the same back.
  static void exchange(Node& node, fi_addr_t peer, std::size_t size) {
    Transfer out{.bytes = pattern(size, size)}, in{.bytes = Bytes(size)};
    node.receive(in, 2);
    node.send(out, peer, 1);
    node.finish(out, "the end of a send");
    node.finish(in, "the answer");
    if (in.bytes != out.bytes) throw Failure("another content");
  }

  void come_and_go(Worker& me) const {
    Held warm{};
    for (int cycle = 0; cycle < cycles(); ++cycle) {
      if (cycle == kWarm) warm = held_now();
      Node node(me, place(0).address(), port(0));
      const fi_addr_t peer = node.insert(place(1).address(), port(1));
      for (const std::size_t size : kSizes) exchange(node, peer, size);
    }
    judge("who comes and goes", warm);
  }

  void stay(Worker& me) const {
    Node node(me, place(1).address(), port(1));
    const fi_addr_t peer = node.insert(place(0).address(), port(0));
    me.say("ready");
    Held warm{};
    for (int i = 0; i < cycles() * kExchanges; ++i) {
      Transfer in{.bytes = Bytes(300'000)};
      node.receive(in, 1);
      node.finish(in, "a question");
      in.bytes.resize(in.length);
      node.send(in, peer, 2);
      node.finish(in, "the end of an answer");
      if (i == kWarm * kExchanges) warm = held_now();
    }
    node.hear();
    judge("who stays", warm);
  }

  // libfabric 1.17 itself loses about a kilobyte with each endpoint and connection; a frame or a
  // message more or less at that moment is no leak either. Sanitizers keep what was freed and take
  // memory of their own; there LeakSanitizer judges when the process ends.
  static void judge(const char* who, const Held& warm) {
    const Held now = held_now();
    const int more = cycles() - kWarm;
    std::cerr << who << ": " << now.descriptors - warm.descriptors << " descriptors, "
              << now.mappings - warm.mappings << " mappings, " << now.kilobytes - warm.kilobytes
              << " KiB more after " << more << " cycles\n";
    if (now.descriptors > warm.descriptors + 1) throw Failure("descriptors leak");
    if (now.mappings > warm.mappings + 2) throw Failure("shared memory leaks");
    if (!kSanitized && now.kilobytes - warm.kilobytes > 600 + more * 2L)
      throw Failure("memory leaks");
  }
};

TEST_P(Leak, EndpointsLeaveNothing) {
  expect_log(" descriptors, ");
  const Migrations nowhere(Fate::kAny);
  const Environment counted = nowhere.environment();
  Process& stays = start(
      "stays", place(1), [this](Worker& me) { stay(me); }, counted);
  stays.expect("ready");
  Process& comes = start(
      "comes and goes", place(0), [this](Worker& me) { come_and_go(me); }, counted);
  comes.expect_end(kSoon * 4);
  stays.tell("look");
  stays.expect_end();
  const std::uint64_t joined = nowhere.sum("ring", "joined");
  std::cout << comes.log() << stays.log() << joined << " rings joined, "
            << nowhere.sum("ring", "tx_msgs") << " messages by rings\n";
  if (neighbours()) {
    // Both sides count, and one that comes late is no fault.
    EXPECT_GT(joined, static_cast<std::uint64_t>(cycles()));
  } else {
    EXPECT_EQ(joined, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Hosts, Leak, testing::Bool(),
                         [](const auto& info) { return info.param ? "Neighbours" : "Apart"; });

}  // namespace

}  // namespace xs::test
