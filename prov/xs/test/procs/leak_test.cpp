// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Endpoints that come and go leave nothing behind, neither at home nor at the peers they met.
#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr int kWarm = 20;  // cycles until caches and pools are full

struct Held {
  long descriptors;
  long kilobytes;
};

Held held_now() {
  malloc_trim(0);
  const std::filesystem::directory_iterator all("/proc/self/fd");
  const long descriptors = std::distance(begin(all), end(all));
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return {descriptors, std::stol(line.substr(8))};
  throw Failure("no RssAnon");
}

class Leak : public Procs {
 protected:
  static int cycles() { return g_full ? 1000 : 100; }

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
      Node node(me, host(0).address());
      const fi_addr_t peer = node.insert(host(1).address());
      for (const std::size_t size : {10u, 20'000u, 300'000u}) exchange(node, peer, size);
    }
    judge("who comes and goes", warm);
  }

  void stay(Worker& me) const {
    Node node(me, host(1).address());
    const fi_addr_t peer = node.insert(host(0).address());
    me.say("ready");
    Held warm{};
    for (int i = 0; i < cycles() * 3; ++i) {
      Transfer in{.bytes = Bytes(300'000)};
      node.receive(in, 1);
      node.finish(in, "a question");
      in.bytes.resize(in.length);
      node.send(in, peer, 2);
      node.finish(in, "the end of an answer");
      if (i == kWarm * 3) warm = held_now();
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
              << now.kilobytes - warm.kilobytes << " KiB more after " << more << " cycles\n";
    if (now.descriptors > warm.descriptors + 1) throw Failure("descriptors leak");
    if (!kSanitized && now.kilobytes - warm.kilobytes > 600 + more * 2L)
      throw Failure("memory leaks");
  }
};

TEST_F(Leak, EndpointsLeaveNothing) {
  expect_log(" descriptors, ");
  Process& stays = start("stays", host(1), [this](Worker& me) { stay(me); });
  stays.expect("ready");
  Process& comes = start("comes and goes", host(0), [this](Worker& me) { come_and_go(me); });
  comes.expect_end(kSoon * 4);
  stays.tell("look");
  stays.expect_end();
  std::cout << comes.log() << stays.log();
}

}  // namespace

}  // namespace xs::test
