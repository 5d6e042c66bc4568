// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes that share an address vector by name: numbers mean the same to all, what one inserts or
// removes the others see, and who reads changes nothing.
#include <rdma/fi_errno.h>

#include <initializer_list>

#include "procs/shared_vector.hpp"

namespace xs::test {

namespace {

constexpr int kMembers = 3;  // the one that writes, and two that read
constexpr int kLate = 3;     // the number of one that is inserted later
constexpr int kAgain = 4;    // and of member 1, when it was removed and is inserted again
constexpr int kNobody = 1000;

class VectorSeen : public SharedVector {
 protected:
  // Two of them on each host.
  const std::string& address(int member) const { return host(member % 2).address(); }
  static std::uint16_t port(int member) {
    return static_cast<std::uint16_t>(Node::kPort + member / 2);
  }
  std::string text(int member) const {
    return address(member) + ":" + std::to_string(port(member));
  }

  static std::uint64_t tag(int from, int to) { return static_cast<std::uint64_t>(from * 16 + to); }

  // With everybody of that many, also itself; eager, and by rendezvous.
  static void exchange_with_all(Node& node, int self) {
    for (const std::size_t size : {50u, 200'000u})
      for (int peer = 0; peer < kMembers; ++peer)
        exchange(node, peer, size, tag(self, peer), tag(peer, self));
  }

  static void expect(std::int64_t got, std::int64_t awaited, const char* what) {
    if (got == awaited) return;
    throw Failure(std::string(what) + " gives " + std::to_string(got) + " instead of " +
                  std::to_string(awaited));
  }
  void expect_at(Vector& vector, int number, const std::string& awaited) const {
    const std::string got = vector.lookup(number);
    if (got != awaited)
      throw Failure("at " + std::to_string(number) + " is `" + got + "`, not `" + awaited + "`");
  }

  void write(Worker& me) const {
    Node node(me, address(0), port(0), to_write());
    Vector& vector = node.vector();
    for (int member = 0; member < kMembers; ++member)
      expect(vector.insert(address(member), port(member)), member, "an insertion");
    me.say("filled");
    node.hear();
    exchange_with_all(node, 0);
    me.say("talked");
    node.hear();
    expect(vector.insert(address(kLate), port(kLate)), kLate, "a late insertion");
    expect(vector.remove(1), 0, "a removal");
    expect(vector.insert(address(1), port(1)), kAgain, "an insertion again");
    me.say("changed");
    node.hear();
    exchange(node, kLate, 50, tag(0, kLate), tag(kLate, 0));
    exchange(node, kAgain, 50, tag(0, kAgain), tag(kAgain, 0));
    me.say("talked");
    node.hear();
  }

  // self: 1 or 2.
  void read(Worker& me, int self) const {
    Node node(me, address(self), port(self), to_read());
    Vector& vector = node.vector();
    for (int member = 0; member < kMembers; ++member) expect_at(vector, member, text(member));
    expect_at(vector, kMembers, "");
    expect(vector.insert(address(0), port(0)), 0, "an insertion of what is there");
    expect(vector.insert(address(kLate), port(kLate)), -FI_EACCES, "an insertion by who reads");
    expect(vector.remove(0), -FI_EACCES, "a removal by who reads");
    me.say("ready");
    node.hear();
    exchange_with_all(node, self);
    me.say("talked");
    node.hear();
    if (self == 2) see_changes(node);
    const int now = self == 1 ? kAgain : self;
    if (self == 1) exchange(node, 0, 50, tag(kAgain, 0), tag(0, kAgain));
    exchange(node, kLate, 50, tag(now, kLate), tag(kLate, now));
    me.say("talked");
    node.hear();
    // Who wrote it has gone.
    expect_at(vector, kLate, text(kLate));
    me.say("seen");
    node.hear();
  }

  // It learns of the removal when it looks for what it does not have.
  void see_changes(Node& node) const {
    Vector& vector = node.vector();
    expect_at(vector, kNobody, "");
    expect_at(vector, 1, "");
    expect_at(vector, kAgain, text(1));
    Transfer out{.bytes = Bytes(1)};
    expect(node.try_send(out, 1, 1), -FI_EINVAL, "a send to what was removed");
  }

  // Knows nobody before the writer has inserted it, opens to read.
  void come_late(Worker& me) const {
    Node node(me, address(kLate), port(kLate), to_read());
    me.say("ready");
    node.hear();
    exchange(node, 0, 50, tag(kLate, 0), tag(0, kLate));
    for (const int peer : {kAgain, 2}) exchange(node, peer, 50, tag(kLate, peer), tag(peer, kLate));
    me.say("talked");
    node.hear();
  }

  void nobody_has_it(Worker& me) const {
    const Node node(me, address(0), port(0));
    expect(Vector::try_to_open(node.domain(), to_read()), -FI_ENOENT, "opening what nobody has");
  }
};

void tell_all(std::initializer_list<Process*> all, const char* tells, const char* awaits) {
  for (Process* each : all) each->tell(tells);
  for (Process* each : all) each->expect(awaits);
}

TEST_F(VectorSeen, WhatOneInsertsAndRemovesTheOthersSee) {
  expect_log("address vector procs\\.[0-9]+: ");  // that nobody has open
  start("before", host(0), [this](Worker& me) { nobody_has_it(me); }).expect_end();
  Process& writer = start("writer", host(0), [this](Worker& me) { write(me); });
  writer.expect("filled");
  Process* readers[2];
  for (const int i : {1, 2}) {
    readers[i - 1] =
        &start("reader " + std::to_string(i), host(i % 2), [this, i](Worker& me) { read(me, i); });
    readers[i - 1]->expect("ready");
  }
  tell_all({&writer, readers[0], readers[1]}, "talk", "talked");
  Process& late = start("late", host(1), [this](Worker& me) { come_late(me); });
  late.expect("ready");
  writer.tell("change");
  writer.expect("changed");
  tell_all({&writer, readers[0], readers[1], &late}, "talk", "talked");
  writer.tell("end");
  writer.expect_end();
  EXPECT_TRUE(exists());
  tell_all({readers[0], readers[1]}, "look", "seen");
  for (Process* each : {&late, readers[0], readers[1]}) {
    EXPECT_TRUE(exists());
    each->tell("end");
    each->expect_end();
  }
  EXPECT_FALSE(exists());
  start("after", host(0), [this](Worker& me) { nobody_has_it(me); }).expect_end();
}

}  // namespace

}  // namespace xs::test
