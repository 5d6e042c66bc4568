// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Processes in traffic live in simulated VMs, which are moved together and apart every few
// milliseconds. Each message arrives once, in order.
#include <rdma/fi_errno.h>

#include <array>
#include <cstring>
#include <iostream>
#include <sstream>
#include <thread>

#include "procs/failure.hpp"
#include "procs/mover.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

struct MoveCase {
  const char* name;
  Fate fate;
  Mix mix;
  Environment environment;
};

class Moved : public Conversation, public testing::WithParamInterface<MoveCase> {
 protected:
  Moved() : Conversation(1) {}
  Environment environment(int vm) const {
    Environment all = migrations_.environment(vm);
    for (const auto& [variable, value] : GetParam().environment) all[variable] = value;
    return all;
  }

  Migrations migrations_{GetParam().fate};
};

TEST_P(Moved, UnderTraffic) {
  expect_log(kDeadRing, false);
  begin_together(GetParam().mix, environment(0), environment(1));
  expect_flow();
  Process& mover = start("mover", host(0), [this](Worker& me) { migrations_.keep_moving(me); });
  const auto end = Clock::now() + by_length(seconds(3), seconds(30));
  do {
    mover.expect_sent(mover.sent() + 20);
    expect_flow();
  } while (Clock::now() < end);
  mover.tell("enough");
  mover.expect_end();
  migrations_.bring_together();
  expect_flow();
  finish();
  const std::uint64_t ring = migrations_.sum("ring", "tx_msgs"),
                      fabric = migrations_.sum("fabric", "tx_msgs"),
                      joined = migrations_.sum("ring", "joined"),
                      left = migrations_.sum("ring", "left");
  std::cout << mover.sent() << " moves, rings joined " << joined << " times and left " << left
            << " times, " << ring << " messages by rings, " << fabric << " by the fabric\n";
  EXPECT_GT(joined, 2u);
  EXPECT_GT(left, 2u);
  EXPECT_GT(ring, 0u);
  EXPECT_GT(fabric, 0u);
}

const Environment kPlain;
const Environment kSmall = {{"FI_XS_RING_SIZE", "4096"}, {"FI_XS_RING_LARGEST", "4096"}};
const Environment kAsleep = {{kWaiting, "sread"}};
const Environment kAsleepInSet = {{kWaiting, "epoll"}};

INSTANTIATE_TEST_SUITE_P(Procs, Moved,
                         testing::Values(MoveCase{"Ones", Fate::kOnes, Mix::kMixed, kPlain},
                                         MoveCase{"Frozen", Fate::kFrozen, Mix::kMixed, kPlain},
                                         MoveCase{"Announced", Fate::kAnnounced, Mix::kMixed,
                                                  kPlain},
                                         MoveCase{"AnySmallRings", Fate::kAny, Mix::kEager, kSmall},
                                         MoveCase{"AnyAsleep", Fate::kAny, Mix::kEager, kAsleep},
                                         MoveCase{"AnyAsleepEpoll", Fate::kAny, Mix::kEager,
                                                  kAsleepInSet}),
                         [](const auto& info) { return std::string(info.param.name); });

constexpr std::uint64_t kTag = 9;
constexpr std::size_t kLargest = 600'000;

struct Label {
  std::uint64_t life;
  std::uint64_t number;
};

Label parse(const std::string& text) {
  std::istringstream words(text);
  Label out{};
  words >> out.life >> out.number;
  return out;
}

// Its sender is killed (-9) again and again and born anew, while both are moved.
class MovedAndKilled : public Procs {
 protected:
  MovedAndKilled() : Procs(1) {}
  fi_addr_t meet(Node& node, std::uint16_t port) const {
    return node.insert(host(0).address(), port);
  }

  void send(Worker& me, std::uint64_t life) const {
    Node node(me, host(0).address(), Node::kPort + 1);
    const fi_addr_t peer = meet(node, Node::kPort);
    me.say("ready");
    std::array<Transfer, 16> window;
    std::uint64_t sent = 0;
    for (std::optional<std::string> told; !(told = me.heard());) {
      node.poll();
      for (Transfer& each : window) {
        if (!each.done) continue;
        if (each.error != 0) throw Failure("a send ended in error");
        const Label label{life, sent};
        each.bytes = pattern(sizeof label + message_size(Mix::kMixed, sent), sent);
        std::memcpy(each.bytes.data(), &label, sizeof label);
        node.send(each, peer, kTag, sent % 3 == 0 ? FI_DELIVERY_COMPLETE : kNoFlags);
        ++sent;
      }
    }
    for (const Transfer& each : window) node.finish(each, "the end of the last sends");
    me.say("sent " + std::to_string(sent));
    node.hear();
  }

  // Each life's messages must be the first ones that it sent, in order.
  void receive(Worker& me) const {
    Node node(me, host(0).address());
    me.say("ready");
    std::array<Transfer, 16> ring;
    for (Transfer& each : ring) {
      each.bytes.resize(kLargest + sizeof(Label));
      node.receive(each, kTag);
    }
    Label next{1, 0};
    std::uint64_t failed = 0;
    std::optional<Label> last;  // one more than the last message
    const auto complete = [&] {
      if (!last)
        if (const auto told = me.heard()) last = parse(*told);
      return last && last->life == next.life && last->number == next.number;
    };
    for (std::uint64_t i = 0;; ++i) {
      Transfer& oldest = ring[i % ring.size()];
      node.until([&] { return oldest.done || complete(); }, "a message", seconds(120));
      if (!oldest.done) break;
      if (oldest.good()) {
        check(oldest, next);
      } else {
        ++next.number;  // announced by a life that ended before its payload came
        ++failed;
      }
      node.receive(oldest, kTag);
    }
    node.pass(2 * kQuiet);
    if (node.peek(kTag)) throw Failure("one message too many");
    me.say("complete " + std::to_string(failed));
    node.hear();
  }

  static void check(const Transfer& in, Label& next) {
    Label label;
    std::memcpy(&label, in.bytes.data(), sizeof label);
    if (label.life > next.life) next = {label.life, 0};
    if (label.life != next.life || label.number != next.number)
      throw Failure("message " + std::to_string(label.number) + " of life " +
                    std::to_string(label.life) + " instead of " + std::to_string(next.number) +
                    " of life " + std::to_string(next.life));
    const std::size_t size = sizeof label + message_size(Mix::kMixed, label.number);
    const Bytes awaited = pattern(size, label.number);
    if (in.length != size || std::memcmp(in.bytes.data() + sizeof label,
                                         awaited.data() + sizeof label, size - sizeof label) != 0)
      throw Failure("message " + std::to_string(label.number) + " has another content");
    ++next.number;
  }

  Migrations migrations_{Fate::kAny, 9};  // at times long enough for a ring
};

TEST_F(MovedAndKilled, ASenderAgainAndAgain) {
  expect_log("is dead: its port refuses connections", false);
  expect_log(kDeadRing, false);
  const int lives = g_full ? 60 : 8;
  Process& mover = start("mover", host(0), [this](Worker& me) { migrations_.keep_moving(me); });
  Process& receiver = start(
      "receiver", host(0), [this](Worker& me) { receive(me); }, migrations_.environment(0));
  receiver.expect("ready");
  std::minstd_rand random(std::random_device{}());
  Process* sender = nullptr;
  for (int life = 1; life <= lives; ++life) {
    if (sender) sender->kill();
    sender = &start(
        "life " + std::to_string(life), host(0),
        [this, life](Worker& me) { send(me, static_cast<std::uint64_t>(life)); },
        migrations_.environment(1));
    sender->expect("ready");
    sender->expect_sent(50 + random() % 200);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
  }
  sender->tell("enough");
  receiver.tell(std::to_string(lives) + ' ' + sender->expect("sent", seconds(60)));
  const std::string failed = receiver.expect("complete", seconds(60));
  mover.tell("enough");
  mover.expect_end();
  for (Process* each : {sender, &receiver}) {
    each->tell("close");
    each->expect_end();
  }
  // What the receiver has counted of all lives.
  const std::uint64_t ring = migrations_.sum("ring", "rx_msgs");
  std::cout << mover.sent() << " moves, " << failed << " receives ended by a death, " << ring
            << " messages came by rings\n";
  EXPECT_GT(ring, 0u);
}

}  // namespace

}  // namespace xs::test
