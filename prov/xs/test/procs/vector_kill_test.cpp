// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process is killed (-9), or stopped, while it changes an address vector that others share with
// it by name: they go on, and nothing wrong is in it.
#include <fcntl.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "procs/shared_vector.hpp"

namespace xs::test {

namespace {

using Dice = std::mt19937_64;

// XS_PROCS_SEED repeats the moments of a run, as far as processes can be made to.
std::uint64_t seed() {
  static const std::uint64_t kSeed = [] {
    const char* given = std::getenv("XS_PROCS_SEED");
    const std::uint64_t seed = given ? std::stoull(given) : std::random_device()();
    std::cout << "XS_PROCS_SEED=" << seed << std::endl;
    return seed;
  }();
  return kSeed;
}

std::uint64_t roll(Dice& dice, std::uint64_t below) { return dice() % below; }

void expect(std::int64_t got, std::int64_t awaited, const char* what) {
  if (got != awaited)
    throw Failure(std::string(what) + " gives " + std::to_string(got) + " instead of " +
                  std::to_string(awaited));
}

// An address that no endpoint has: some that all insert, and many.
constexpr const char* kNowhere = "10.99.0.1";
std::uint16_t nowhere(Dice& dice) {
  return static_cast<std::uint16_t>(roll(dice, 2) ? 1 + roll(dice, 8) : 1000 + roll(dice, 50000));
}
std::string text(std::uint16_t port) { return kNowhere + (":" + std::to_string(port)); }

// Inserts and removes what is nowhere.
class Changes {
 public:
  Changes(Vector& vector, Dice& dice) : vector_(vector), dice_(dice) {}

  void one() { mine_.empty() || (mine_.size() < 20 && roll(dice_, 2)) ? insert() : remove(); }
  void undo() {
    while (!mine_.empty()) remove();
  }

 private:
  void insert() {
    const std::uint16_t port = nowhere(dice_);
    const std::int64_t number = vector_.insert(kNowhere, port);
    if (number < 0) throw Failure("an insertion gives " + std::to_string(number));
    const std::string got = vector_.lookup(number);
    if (got != text(port)) throw Failure("`" + got + "` was inserted instead of " + text(port));
    mine_.push_back(number);
  }
  void remove() {
    std::swap(mine_.back(), mine_[roll(dice_, mine_.size())]);
    expect(vector_.remove(mine_.back()), 0, "a removal");
    mine_.pop_back();
  }

  Vector& vector_;
  Dice& dice_;
  std::vector<std::int64_t> mine_;  // numbers
};

class VectorKilled : public SharedVector {
 protected:
  VectorKilled() : dice_(seed()) {}

  // Whether some process is changing it at this moment.
  bool is_held() const {
    const UniqueFd file(open(path().c_str(), O_RDWR | O_CLOEXEC));
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    return file.get() >= 0 && fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }
  void pass_some_time() {
    std::this_thread::sleep_for(std::chrono::microseconds(roll(dice_, 3000)));
  }
  // That process changes vectors until it is killed.
  Process& start_victim(const std::function<void(Worker&, Node&, Dice&)>& body) {
    const std::uint64_t own_seed = dice_();
    const auto port = static_cast<std::uint16_t>(Node::kPort + 100 + started_ % 100);
    Process& victim = start("victim " + std::to_string(started_++), host(1), [=, this](Worker& me) {
      Node node(me, host(1).address(), port);
      Dice dice(own_seed);
      me.at("changing a shared vector");
      for (;;) body(me, node, dice);
    });
    victim.expect_sent(1);
    return victim;
  }

  Dice dice_;

 private:
  int started_ = 0;
};

// Two processes that use the vector while others die. 0 inserts, 1 reads.
class VectorSurvivors : public VectorKilled {
 protected:
  // Whatever the driver says but "end": another round.
  void keep(Worker& me) const {
    Node node(me, host(0).address(), Node::kPort, to_write());
    Vector& vector = node.vector();
    expect(vector.insert(host(0).address(), Node::kPort), 0, "the first insertion");
    expect(vector.insert(host(1).address(), Node::kPort), 1, "the second insertion");
    me.say("ready");
    std::uint16_t port = 60000;
    for (std::uint64_t round = 0; node.hear() != "end"; ++round) {
      const auto begin = Clock::now();
      const std::int64_t number = vector.insert(kNowhere, ++port);
      if (number < 0) throw Failure("an insertion gives " + std::to_string(number));
      me.say("inserted " + std::to_string(number) + " " + text(port));
      node.hear();
      exchange(node, 1, 100, 2 * round, 2 * round + 1);
      expect(vector.remove(number), 0, "a removal");
      expect(vector.remove(number), -FI_EINVAL, "a second removal");
      if (Clock::now() - begin > kSoon) throw Failure("the dead are waited for");
      me.say("talked");
    }
  }
  // What is known may be old, and is never wrong: numbers are not used again.
  static void expect_no_other(Vector now, Vector& known, std::int64_t last) {
    for (std::int64_t number = std::max<std::int64_t>(last - 100, 0); number <= last; ++number) {
      const std::string got = now.lookup(number);
      if (!got.empty() && got != known.lookup(number))
        throw Failure(got + " has the number of " + known.lookup(number));
    }
  }
  void read(Worker& me) const {
    Node node(me, host(1).address(), Node::kPort, to_read());
    me.say("ready");
    std::string what;
    for (std::uint64_t round = 0; (what = node.hear()) != "end"; ++round) {
      const auto blank = what.find(' ');
      const std::int64_t number = std::stoll(what.substr(0, blank));
      const std::string got = node.vector().lookup(number);
      if (got != what.substr(blank + 1)) throw Failure("`" + got + "` instead of " + what);
      expect_no_other(Vector(node.domain(), to_read()), node.vector(), number);
      exchange(node, 0, 100, 2 * round + 1, 2 * round);
      me.say("talked");
    }
  }
};

// Every other victim is stopped for a while first, maybe within a change: the others wait for it.
TEST_F(VectorSurvivors, GoOnWithinTheirOwn) {
  const int rounds = g_full ? 500 : 20;
  Process& keeper = start("keeper", host(0), [this](Worker& me) { keep(me); });
  keeper.expect("ready");
  Process& reader = start("reader", host(1), [this](Worker& me) { read(me); });
  reader.expect("ready");
  int within = 0;
  for (int round = 0; round < rounds; ++round) {
    Process& victim = start_victim([this](Worker& me, Node& node, Dice& dice) {
      Vector vector(node.domain(), to_write());
      Changes changes(vector, dice);
      for (auto left = 1 + roll(dice, 100); left > 0; --left) {
        changes.one();
        ++me.board().sent;
      }
      if (roll(dice, 2)) changes.undo();
    });
    victim.expect_sent(victim.sent() + 1);  // the one before is not in its way
    pass_some_time();
    victim.stop();
    std::this_thread::sleep_for(milliseconds(1));
    const bool held = is_held();
    within += held;
    const bool wait = round % 2;
    if (!wait) victim.kill();
    keeper.tell("go on");
    if (wait) {
      if (held) std::this_thread::sleep_for(milliseconds(20));
      victim.kill();
    }
    reader.tell(keeper.expect("inserted"));
    keeper.tell("go on");
    keeper.expect("talked");
    reader.expect("talked");
  }
  for (Process* each : {&reader, &keeper}) {
    each->tell("end");
    each->expect_end();
  }
  std::cout << within << " of " << rounds << " were killed within a change" << std::endl;
  EXPECT_GT(within, 0);
}

// Nobody but them has it: it comes and goes with them, and is left behind by the last.
TEST_F(VectorKilled, WhoeverIsLeft) {
  constexpr std::size_t kCrowd = 4;
  const int rounds = g_full ? 500 : 20;
  const auto come_and_go = [this](Worker& me, Node& node, Dice& dice) {
    Vector vector(node.domain(), to_write());
    const std::uint16_t port = nowhere(dice);
    const std::int64_t number = vector.insert(kNowhere, port);
    Vector same(node.domain(), to_read());
    if (number < 0 || same.lookup(number) != text(port)) throw Failure("another vector");
    Changes changes(vector, dice);
    for (auto count = roll(dice, 10); count > 0; --count) changes.one();
    if (roll(dice, 2)) {
      changes.undo();
      expect(vector.remove(number), 0, "a removal");
    }
    ++me.board().sent;
  };
  std::vector<Process*> crowd;
  for (int round = 0; round < rounds; ++round) {
    while (crowd.size() < kCrowd) crowd.push_back(&start_victim(come_and_go));
    pass_some_time();
    std::swap(crowd.back(), crowd[roll(dice_, crowd.size())]);
    crowd.back()->expect_sent(crowd.back()->sent() + 1);  // the dead are in nobody's way
    crowd.back()->kill();
    crowd.pop_back();
  }
  for (Process* each : crowd) each->kill();
  expect_log("address vector procs\\.[0-9]+: ");  // that nobody has open
  const Process::Body find_nothing = [this](Worker& me) {
    const Node node(me, host(0).address());
    if (Vector::try_to_open(node.domain(), to_read()) != -FI_ENOENT) throw Failure("a dead one's");
    Vector vector(node.domain(), to_write());
    expect(vector.insert(kNowhere, 7), 0, "the first insertion");
  };
  start("after", host(0), find_nothing).expect_end();
}

}  // namespace

}  // namespace xs::test
