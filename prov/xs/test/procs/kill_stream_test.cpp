// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The receiver of a stream is killed (-9) again and again and replaced at the same address. Each
// message that its sender was told of is in one life, and nothing of one life shows in the next,
// nor stays of it where the sender lives.
#include <rdma/fi_errno.h>

#include <array>
#include <atomic>
#include <cstring>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include "procs/failure.hpp"
#include "procs/held.hpp"
#include "procs/mover.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr std::uint64_t kMost = 1 << 20;  // messages
constexpr std::uint64_t kTag = 5;

// What the processes saw, by message; outlives them.
struct Ledger {
  std::array<std::atomic<std::uint8_t>, kMost> life;  // in which it was received; 0: in none
  std::array<std::atomic<std::int8_t>, kMost> end;    // of its send: 1 good, -1 in error
  std::atomic<std::uint64_t> sent;
  std::atomic<int> disorder;
};

// Of the sender's, while nobody lives whom it could send to.
struct Held {
  long descriptors = 0, sharing = 0, mappings = 0;
};

Held parse(const std::string& text) {
  std::istringstream words(text);
  Held out;
  words >> out.descriptors >> out.sharing >> out.mappings;
  return out;
}

constexpr long kOfTwoLanes = 8;  // descriptors

enum class Place { kApart, kTogether, kMoved };

// On two hosts, or on one, also in simulated VMs that move all the time.
class KilledReceiver : public Procs, public testing::WithParamInterface<Place> {
 protected:
  bool apart() const { return GetParam() == Place::kApart; }
  bool moved() const { return GetParam() == Place::kMoved; }
  // How many are killed.
  int lives() const { return g_full && GetParam() == Place::kTogether ? 40 : 4; }
  const Host& place(int side) const { return host(apart() ? side : 0); }
  std::uint16_t port(int side) const {
    return static_cast<std::uint16_t>(Node::kPort + (apart() ? 0 : side));
  }
  Environment environment(int side) const {
    return moved() ? migrations_.environment(side) : migrations_.environment();
  }

  void stream(Worker& me) {
    Node node(me, place(0).address(), port(0));
    const fi_addr_t peer = node.insert(place(1).address(), port(1));
    me.say("ready");
    std::array<Transfer, 24> window;
    std::array<std::uint64_t, 24> numbers{};
    const auto take = [&](std::size_t i) {
      if (window[i].bytes.empty() || !window[i].done) return;
      ledger_->end[numbers[i]] = window[i].error == 0 ? 1 : -1;
      window[i].bytes.clear();
    };
    const auto end_all = [&] {
      for (std::size_t i = 0; i < window.size(); ++i) {
        node.until([&] { return window[i].done; }, "the end of the last sends");
        take(i);
      }
    };
    for (std::optional<std::string> told;; told.reset()) {
      me.at("streaming");
      while (!(told = me.heard()) && ledger_->sent + window.size() < kMost) {
        node.poll();
        for (std::size_t i = 0; i < window.size(); ++i) {
          take(i);
          if (!window[i].done) continue;
          numbers[i] = ledger_->sent++;
          window[i].bytes = pattern(1000, numbers[i]);
          std::memcpy(window[i].bytes.data(), &numbers[i], sizeof numbers[i]);
          node.send(window[i], peer, kTag, FI_DELIVERY_COMPLETE);
        }
      }
      end_all();
      if (told != "look") break;
      node.pass(2 * kQuiet);
      me.say("holds " + std::to_string(descriptors_held(port(0))) + ' ' +
             std::to_string(sharing_descriptors_held()) + ' ' +
             std::to_string(mappings_held("memfd:")));
    }
    me.say("stopped");
    node.hear();
  }

  void receive(Worker& me, std::uint8_t life) {
    Node node(me, place(1).address(), port(1));
    me.say("ready");
    std::array<Transfer, 16> ring;
    for (Transfer& each : ring) {
      each.bytes.resize(1000);
      node.receive(each, kTag);
    }
    std::int64_t last = -1;
    me.at("receiving");
    std::optional<std::string> told;
    for (std::uint64_t i = 0;; ++i) {
      Transfer& oldest = ring[i % ring.size()];
      node.until([&] { return oldest.done || told || (told = me.heard()); }, "a message",
                 seconds(120));
      // What was delivered before is there, though perhaps not seen yet: it is received to its end.
      if (!oldest.done) node.pass(2 * kQuiet);
      if (!oldest.done) break;
      if (!oldest.good()) throw Failure("a receive ended in error");
      std::uint64_t number;
      std::memcpy(&number, oldest.bytes.data(), sizeof number);
      if (static_cast<std::int64_t>(number) <= last || ledger_->life.at(number) != 0)
        ++ledger_->disorder;
      last = static_cast<std::int64_t>(number);
      ledger_->life[number] = life;
      node.receive(oldest, kTag);
    }
    me.say("stopped");
  }

  std::uint64_t good_sends() const {
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < ledger_->sent; ++i) count += ledger_->end[i] == 1;
    return count;
  }

  Shared<Ledger> ledger_;
  Migrations migrations_{Fate::kAny, 9};  // at times long enough for a ring
};

TEST_P(KilledReceiver, EachMessageInOneLife) {
  expect_log("is dead: its port refuses connections", false);
  Process* mover = nullptr;
  if (moved()) {
    expect_log(kDeadRing, false);
    mover = &start("mover", host(0), [this](Worker& me) { migrations_.keep_moving(me); });
  }
  Process* receiver = nullptr;
  const auto bear = [&](int life) {
    receiver = &start(
        "life " + std::to_string(life), place(1),
        [this, life](Worker& me) { receive(me, static_cast<std::uint8_t>(life)); }, environment(1));
    receiver->expect("ready");
  };
  bear(1);
  Process& sender = start(
      "sender", place(0), [this](Worker& me) { stream(me); }, environment(0));
  sender.expect("ready");
  std::minstd_rand random(std::random_device{}());
  std::optional<Held> held;  // after the first death
  for (int life = 2; life <= lives() + 1; ++life) {
    sender.expect_sent(sender.sent() + 1 + random() % 1000);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    receiver->kill();
    if (!moved() && (life == 2 || life == lives() + 1)) {
      sender.tell("look");
      const Held now = parse(sender.expect("holds", kSoon + kQuiet * 20 * kPatience));
      if (!held) held = now;
      EXPECT_LE(now.descriptors, held->descriptors + kOfTwoLanes);
      EXPECT_EQ(now.sharing, held->sharing) << "descriptors after " << life - 1 << " deaths";
      EXPECT_EQ(now.mappings, held->mappings) << "after " << life - 1 << " deaths";
    } else if (life % 2 == 0) {
      std::this_thread::sleep_for(10 * kQuiet);  // or nobody notices the gap
    }
    bear(life);
  }
  sender.expect_sent(sender.sent() + 500);
  sender.tell("stop");
  sender.expect("stopped");
  receiver->tell("stop");
  receiver->expect("stopped");
  receiver->expect_end();
  sender.tell("close");
  sender.expect_end();
  if (mover) {
    mover->tell("enough");
    mover->expect_end();
  }

  EXPECT_EQ(ledger_->disorder, 0);
  std::uint64_t failed = 0, lost = 0;
  int newest = 1;  // life of the newest message received so far
  for (std::uint64_t i = 0; i < ledger_->sent; ++i) {
    const int life = ledger_->life[i];
    failed += ledger_->end[i] == -1;
    // A success without a receive was in the hands of a life that ended, so of no later one.
    lost += ledger_->end[i] == 1 && life == 0;
    EXPECT_TRUE(life == 0 || life >= newest) << "message " << i;
    if (life > newest) newest = life;
    // An error and a receive: the life ended before its acknowledgement arrived.
    EXPECT_FALSE(ledger_->end[i] == -1 && life == lives() + 1) << "message " << i;
  }
  EXPECT_EQ(newest, lives() + 1);
  EXPECT_GT(failed, 0u);
  // The last life was never killed: nothing may be missing after its first message.
  std::string missing;
  for (std::uint64_t i = 0, seen = 0; i < ledger_->sent; ++i) {
    seen += ledger_->life[i] == lives() + 1;
    if (seen > 0 && ledger_->life[i] != lives() + 1)
      missing += " " + std::to_string(i) + (ledger_->end[i] == 1 ? "" : " (in error)");
  }
  EXPECT_EQ(missing, "") << "of " << ledger_->sent << " messages";
  const std::uint64_t ring = migrations_.sum("ring", "tx_msgs");
  std::cout << ledger_->sent << " messages, " << failed << " ended in error, " << lost
            << " died unread, " << ring << " went by rings\n";
  EXPECT_EQ(ring > 0, !apart());
  if (GetParam() == Place::kTogether) {
    // The sender's, and that of the last life.
    EXPECT_GT(migrations_.sum("ring", "joined"), 2u) << "none of those who died had one";
  }
}

INSTANTIATE_TEST_SUITE_P(Procs, KilledReceiver,
                         testing::Values(Place::kApart, Place::kTogether, Place::kMoved),
                         [](const auto& info) {
                           return info.param == Place::kApart      ? "Apart"
                                  : info.param == Place::kTogether ? "Together"
                                                                   : "Moved";
                         });

}  // namespace

}  // namespace xs::test
