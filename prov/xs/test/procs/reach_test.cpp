// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two processes write, read and count in each other's memory while their connections end, beside a
// ring, or while they are moved: each operation happens once, in order.
#include <algorithm>
#include <array>
#include <cstring>
#include <iostream>
#include <random>
#include <thread>

#include "procs/failure.hpp"
#include "procs/mover.hpp"
#include "procs/procs.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

using Reach = Node::Reach;

constexpr std::uint64_t kKey = 5;
constexpr std::size_t kSlotAt = 64;  // before it: the number that the other side adds to
constexpr std::size_t kShown = kSlotAt + 700'000;

// Only we add to the peer's number, and in order: so the addition of that number finds it.
class Additions {
 public:
  Additions(Node& node, fi_addr_t peer) : node_(node), peer_(peer) {
    for (Transfer& each : slots_) each.bytes.resize(8);
  }
  void move() {
    while (asked_ - taken_ < slots_.size()) {
      node_.reach(Reach::kAdd, slots_[asked_ % slots_.size()], peer_, 0, kKey);
      ++asked_;
    }
    take();
  }
  // How many there were.
  std::uint64_t finish() {
    node_.until([&] { return take(), taken_ == asked_; }, "the last additions", seconds(30));
    return asked_;
  }

 private:
  void take() {
    for (; taken_ < asked_ && slots_[taken_ % slots_.size()].done; ++taken_) {
      const Transfer& oldest = slots_[taken_ % slots_.size()];
      std::uint64_t found;
      std::memcpy(&found, oldest.bytes.data(), sizeof found);
      if (oldest.error != 0 || found != taken_)
        throw Failure("addition " + std::to_string(taken_) + " found " + std::to_string(found) +
                      ", error " + std::to_string(oldest.error));
    }
  }
  Node& node_;
  fi_addr_t peer_;
  std::array<Transfer, 16> slots_;
  std::uint64_t asked_ = 0;
  std::uint64_t taken_ = 0;
};

// Writes, and reads back behind it without waiting.
void write_and_read(Node& node, fi_addr_t peer, std::uint64_t round) {
  Transfer out, back;
  out.bytes = pattern(message_size(Mix::kMixed, round), round);
  back.bytes.resize(out.bytes.size());
  node.reach(Reach::kWrite, out, peer, kSlotAt, kKey);
  node.reach(Reach::kRead, back, peer, kSlotAt, kKey);
  node.finish(out, "a write", seconds(30));
  node.finish(back, "a read", seconds(30));
  if (out.bytes != back.bytes) throw Failure("what is read is not what was written");
}

// As talk() does towards the driver.
void reach_out(Worker& me, Node& node, fi_addr_t peer) {
  Bytes shown(kShown);
  node.show(shown, kKey);
  node.shake_hands(peer);
  me.say("ready");
  Additions additions(node, peer);
  for (std::uint64_t round = 0; !me.heard(); ++round) {
    additions.move();
    write_and_read(node, peer, round);
  }
  me.say("sent " + std::to_string(additions.finish()));
  const std::uint64_t theirs = std::stoull(node.hear());
  std::uint64_t number;
  std::memcpy(&number, shown.data(), sizeof number);
  if (number != theirs)
    throw Failure("they added " + std::to_string(theirs) + " times, but it is " +
                  std::to_string(number));
  me.say("complete");
  node.hear();
  node.close();
}

struct Reaching : Conversation {
  void begin_apart() {
    start_apart(
        [this](Worker& me, unsigned id) {
          const int i = static_cast<int>(id);
          Node node(me, host(i).address());
          reach_out(me, node, node.insert(host(1 - i).address()));
        },
        {{"FI_XS_FALLBACK", "net"}, {"FI_PROVIDER", "xs,tcp"}});
    expect_log("accepts connections but answers no greeting", false);
  }
  // Both on one host.
  void begin_beside(const Environment& left, const Environment& right) {
    const auto part = [this](Worker& me, unsigned id) {
      const std::string& address = host(0).address();
      Node node(me, address, static_cast<std::uint16_t>(Node::kPort + id));
      reach_out(me, node, node.insert(address, static_cast<std::uint16_t>(Node::kPort + 1 - id)));
    };
    start_together(part, left, right);
    for (int i : {0, 1}) side(i).expect("ready");
  }
  // Does that again and again; gives how often.
  template <class F>
  int spoil(F&& spoiling) {
    int times = 0;
    for (const auto end = Clock::now() + by_length(milliseconds(4000), seconds(20));
         Clock::now() < end; ++times) {
      spoiling();
      std::this_thread::sleep_for(milliseconds(1 << dice_() % 9));
    }
    return times;
  }
  void end() {
    expect_flow();
    finish();
    std::cout << side(0).sent() << " and " << side(1).sent() << " operations\n";
  }
  std::mt19937 dice_{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed())};
};

TEST_F(Reaching, resets_lose_nothing) {
  begin_apart();
  int ended = 0;
  spoil([&] { ended += host(static_cast<int>(dice_() % 2)).reset_connections(); });
  EXPECT_GT(ended, 2);
  end();
}

TEST_F(Reaching, a_cable_that_is_pulled_loses_nothing) {
  begin_apart();
  spoil([&] {
    const Host& victim = host(static_cast<int>(dice_() % 2));
    victim.unplug();
    std::this_thread::sleep_for(milliseconds(dice_() % 500));
    victim.plug();
    std::this_thread::sleep_for(milliseconds(300));
  });
  end();
}

TEST_F(Reaching, rings_carry_it_too) {
  begin_beside({}, {});
  std::this_thread::sleep_for(by_length(milliseconds(1000), seconds(10)));
  end();
}

// In simulated VMs (docs/hv.md), which come together and part.
TEST_F(Reaching, moves_lose_nothing) {
  expect_log(kDeadRing, false);
  const Migrations migrations(Fate::kAny);
  begin_beside(migrations.environment(0), migrations.environment(1));
  Process& mover = start("mover", host(0), [&](Worker& me) { migrations.keep_moving(me); });
  constexpr std::uint64_t kFewestMoves = 150;  // on a busy machine they take longer
  const auto end_of_moves = Clock::now() + by_length(milliseconds(2000), seconds(20));
  do {
    mover.expect_sent(mover.sent() + 20);
    expect_flow();
  } while (Clock::now() < end_of_moves || mover.sent() < kFewestMoves);
  mover.tell("enough");
  mover.expect_end();
  migrations.bring_together();
  end();
  const auto operations = [&](const char* path) {
    return migrations.sum(path, "tx_writes") + migrations.sum(path, "tx_reads") +
           migrations.sum(path, "tx_atomics");
  };
  const std::uint64_t joined = migrations.sum("ring", "joined"),
                      left = migrations.sum("ring", "left"), ring = operations("ring"),
                      fabric = operations("fabric");
  std::cout << mover.sent() << " moves, rings joined " << joined << " times and left " << left
            << " times, " << ring << " operations by rings, " << fabric << " by the fabric\n";
  EXPECT_GT(joined, 2u);
  EXPECT_GT(left, 2u);
  EXPECT_GT(ring, 0u);
  EXPECT_GT(fabric, 0u);
}

}  // namespace

}  // namespace xs::test
