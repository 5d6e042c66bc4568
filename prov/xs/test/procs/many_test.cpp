// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Many processes, all talking to all at once; greetings that cross.
#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr int kHosts = 4;
constexpr int kEach = 4;  // processes per host
constexpr int kAll = kHosts * kEach;
constexpr int kPerPeer = 12;  // messages from each to each, every fourth one large

Bytes content(int from, int to, int message) {
  return pattern(message % 4 == 3 ? 100'000 : 50,
                 static_cast<std::uint64_t>((from * kAll + to) * kPerPeer + message));
}

std::uint64_t tag_of(int from, int message) {
  return static_cast<std::uint64_t>(from * kPerPeer + message);
}

class Many : public Procs {
 protected:
  Many() : Procs(kHosts) {}

  std::vector<fi_addr_t> insert_all(Node& node) const {
    std::vector<fi_addr_t> peers;
    for (int i = 0; i < kAll; ++i)
      peers.push_back(node.insert(host(i / kEach).address(), port_of(i)));
    return peers;
  }
  static std::uint16_t port_of(int process) {
    return static_cast<std::uint16_t>(Node::kPort + process % kEach);
  }

  void talk_to_all(Worker& me, int own) const {
    Node node(me, host(own / kEach).address(), port_of(own));
    const std::vector<fi_addr_t> peers = insert_all(node);
    std::vector<Transfer> receives(kAll * kPerPeer), sends(kAll * kPerPeer);
    me.say("ready");
    me.hear();
    // Messages to oneself go the same way.
    for (int i = 0; i < kAll * kPerPeer; ++i) {
      Transfer& in = receives[static_cast<std::size_t>(i)];
      in.bytes.resize(100'000);
      node.receive(in, tag_of(i / kPerPeer, i % kPerPeer));
    }
    for (int message = 0; message < kPerPeer; ++message)
      for (int peer = 0; peer < kAll; ++peer) {
        Transfer& out = sends[static_cast<std::size_t>(peer * kPerPeer + message)];
        out.bytes = content(own, peer, message);
        node.send(out, peers[static_cast<std::size_t>(peer)], tag_of(own, message));
      }
    for (int i = 0; i < kAll * kPerPeer; ++i) {
      Transfer& in = receives[static_cast<std::size_t>(i)];
      node.finish(in, "a message from one of many");
      in.bytes.resize(in.length);
      if (in.bytes != content(i / kPerPeer, own, i % kPerPeer))
        throw Failure("another content from " + std::to_string(i / kPerPeer));
    }
    for (const Transfer& out : sends) node.finish(out, "the end of a send to one of many");
    me.say("complete");
  }
};

TEST_F(Many, AllToAll) {
  std::vector<Process*> all;
  for (int i = 0; i < kAll; ++i)
    all.push_back(&start("process " + std::to_string(i), host(i / kEach),
                         [this, i](Worker& me) { talk_to_all(me, i); }));
  for (Process* each : all) each->expect("ready", kSoon * 2);
  for (Process* each : all) each->tell("go");
  for (Process* each : all) each->expect("complete", kSoon * 2);
  for (Process* each : all) each->expect_end();
}

// Both sides send first, at the same moment, again and again: each round has new endpoints at the
// old addresses.
TEST_F(Many, GreetingsCross) {
  const int rounds = g_full ? 500 : 40;
  const auto meet = [this, rounds](Worker& me, int own) {
    for (int round = 0; round < rounds; ++round) {
      Node node(me, host(own).address());
      const fi_addr_t peer = node.insert(host(1 - own).address());
      me.say("ready");
      me.hear();
      Transfer in{.bytes = Bytes(100)}, out{.bytes = pattern(100, static_cast<unsigned>(round))};
      node.send(out, peer, 1);
      node.receive(in, 1);
      node.finish(out, "the end of a send that crosses");
      node.finish(in, "a message that crosses");
      if (in.bytes != out.bytes) throw Failure("a message of another round");
    }
  };
  Process* sides[2];
  for (int i : {0, 1})
    sides[i] = &start(i == 0 ? "left" : "right", host(i), [=](Worker& me) { meet(me, i); });
  for (int round = 0; round < rounds; ++round) {
    for (Process* each : sides) each->expect("ready");
    for (Process* each : sides) each->tell("go");
  }
  for (Process* each : sides) each->expect_end();
}

}  // namespace

}  // namespace xs::test
